// Runs the audits of graphql-http (the reference implementation's own judge) against a GraphQL address.
// Usage: node audit.mjs URL KEY ; prints one line for each audit, and exits with 1 when a is not passed.
import { serverAudits } from "graphql-http";

const [url, key] = process.argv.slice(2);
const fetchFn = (input, init = {}) => fetch(input, { ...init, headers: { ...init.headers, "x-api-key": key } });
let failed = 0;
for (const audit of serverAudits({ url, fetchFn })) {
  const result = await audit.fn();
  const bad = result.status !== "ok" && (result.status === "error" || result.status === "warn");
  failed += bad ? 1 : 0;
  console.log(`${result.status.padEnd(6)} ${audit.id} ${audit.name}${bad ? `: ${result.reason}` : ""}`);
}
process.exit(failed ? 1 : 0);
