// Starts GraphiQL on this server's own address; no inline script, so that the policy stays strict.

const EXAMPLE = `# Ask on the left, read on the right. The documentation of your schema is the book at the very left.
# Ctrl-Enter runs; subscriptions are told again whenever their answer has changed.
query WhoAmI {
  me {
    id
    name
  }
}
`;

// The events of one stream (fetch sends the headers that EventSource cannot).
async function* told(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const lines = text.slice(0, end).split("\n");
        text = text.slice(end + 2);
        const of = (name) => lines.filter((line) => line.startsWith(name)).map((line) => line.slice(name.length)).join("");
        const kind = of("event: ");
        if (kind === "complete") return;
        if (kind === "next") yield JSON.parse(of("data: "));
        if (kind === "refused") yield { errors: [JSON.parse(of("data: "))] };
      }
    }
  } finally {
    reader.cancel();
  }
}

// graphql-js is within GraphiQL's bundle and not to be had from outside: a look at the first word is enough, since the
// server answers a subscription in the wrong place with an error that says where it belongs.
function subscribes(wanted) {
  const bare = wanted.query.replace(/"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|#.*/g, "");
  const named = wanted.operationName && new RegExp(`\\b(query|mutation|subscription)\\s+${wanted.operationName}\\b`).exec(bare);
  return named ? named[1] === "subscription" : /^\s*subscription\b/.test(bare);
}

window.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("graphiql");
  const address = place.dataset.address;
  async function fetcher(wanted, options = {}) {
    const live = subscribes(wanted);
    const answer = await fetch(live ? `${address}/stream` : address, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", Accept: "application/json", ...options.headers },
      body: JSON.stringify(wanted),
    });
    const streams = (answer.headers.get("Content-Type") || "").startsWith("text/event-stream");
    return streams ? told(answer) : answer.json();
  }
  const made = window.React.createElement(window.GraphiQL, { fetcher, defaultQuery: EXAMPLE, shouldPersistHeaders: false });
  window.ReactDOM.createRoot(place).render(made);
});
