// The official TypeScript client, unmodified, against a running server: every call of the MUST part.
//
//   npm install --before=2026-09-15
//   BASE_URL=http://localhost:8000 EMAIL=… PASSWORD=… [TENANT=acme] node smoke.mjs
//
// Node asks the system for `*.localhost`, which many do not resolve; on the platform's host the member's tenant
// (or TENANT, sent as X-Tenant) counts.
// The member needs manage_metadata. Everything happens in an object of its own, which is dropped in the end.
import assert from "node:assert/strict";
import { ObjectStackClient } from "@objectstack/client";

const { BASE_URL = "http://localhost:8000", EMAIL, PASSWORD, TENANT } = process.env;
const object = "smoke_ticket";
const definition = {
  name: object,
  label: "Ticket",
  sharingModel: "public_read_write",
  searchableFields: ["name"],
  fields: {
    name: { type: "text", label: "Name", required: true, searchable: true },
    score: { type: "number", label: "Score", min: 0, max: 100 },
    amount: { type: "currency", label: "Amount" },
    status: { type: "select", label: "Status", options: [{ value: "new", label: "New" }, { value: "done", label: "Done" }] },
    tags: { type: "multiselect", label: "Tags", options: [{ value: "aa", label: "A" }, { value: "bb", label: "B" }] },
    parent: { type: "lookup", label: "Parent", reference: object },
  },
};

const client = new ObjectStackClient({ baseUrl: BASE_URL, ...(TENANT ? { headers: { "X-Tenant": TENANT } } : {}) });
let done = 0;
const failed = [];

async function step(name, run) {
  try {
    await run();
    done += 1;
  } catch (error) {
    failed.push(`${name}: ${error.httpStatus ?? ""} ${error.code ?? ""} ${error.message}`);
  }
}

async function refused(promise, status, code) {
  const error = await promise.then(() => null, (reason) => reason);
  assert.ok(error, "it should have been refused");
  assert.equal(error.httpStatus, status);
  assert.equal(error.code, code);
  return error;
}

let one;
await step("connect", async () => {
  const found = await client.connect();
  assert.equal(found.routes.data, "/api/v1/data");
});
await step("auth.getConfig", async () => assert.ok(await client.auth.getConfig()));
await step("auth.login, wrong password", () =>
  refused(client.auth.login({ type: "email", email: EMAIL, password: "certainly wrong" }), 401, "INVALID_EMAIL_OR_PASSWORD"));
await step("auth.me, anonymous", async () => assert.equal((await client.auth.me())?.user ?? null, null));
await step("data.find, anonymous", () => refused(client.data.find(object), 401, "UNAUTHENTICATED"));
await step("auth.login", async () => {
  const session = await client.auth.login({ type: "email", email: EMAIL, password: PASSWORD });
  assert.ok(session.token ?? session.data?.token);
});
await step("auth.me", async () => assert.equal((await client.auth.me()).user.email, EMAIL));
await step("auth.refreshToken", async () => assert.ok(await client.auth.refreshToken()));
await step("auth.sessions.list", async () => assert.ok((await client.auth.sessions.list()).sessions.length >= 1));
await step("auth.accounts.list", async () => assert.ok((await client.auth.accounts.list()).accounts.length >= 1));

await step("meta.getTypes", async () => assert.ok((await client.meta.getTypes()).types.includes("object")));
await step("meta.saveItem", async () => {
  const saved = await client.meta.saveItem("object", object, definition);
  assert.equal(saved.state, "active");
  assert.match(saved.version, /^sha256:/);
});
await step("meta.saveItem, invalid", () =>
  refused(client.meta.saveItem("object", "smoke_bad", { name: "smoke_bad", label: "B", fields: { a: { type: "no_type" } } }), 422, "INVALID_METADATA"));
await step("meta.getItems", async () =>
  assert.ok((await client.meta.getItems("object")).items.some((item) => item.name === object)));
await step("meta.getItems, unknown type", () => refused(client.meta.getItems("nope_type"), 400, "INVALID_REQUEST"));
await step("meta.getItem", async () => {
  const found = await client.meta.getItem("object", object);
  assert.equal(found.item.fields.name.required, true);
  assert.equal(found.item.fields.id.system, true);
});
await step("meta.getItem, absent", () => refused(client.meta.getItem("object", "nope"), 404, "RESOURCE_NOT_FOUND"));
await step("meta.getCached, twice", async () => {
  const first = await client.meta.getCached(object);
  assert.ok(first.etag?.value ?? first.etag);
  const etag = first.etag.value ?? first.etag;
  const again = await client.meta.getCached(object, { ifNoneMatch: `"${String(etag).replaceAll('"', "")}"` }).then(() => 200, (error) => error.httpStatus);
  assert.equal(again, 304);
});
await step("meta.getView", async () => {
  assert.ok((await client.meta.getView(object, "list")).list.columns.length);
  assert.ok((await client.meta.getView(object, "form")).form.sections.length);
});

await step("data.create", async () => {
  one = await client.data.create(object, { name: "One", score: 60, amount: 12345678.91, status: "new", tags: ["aa"] });
  assert.equal(one.record.amount, 12345678.91);
  assert.equal(one.id, one.record.id);
});
await step("data.create, invalid", async () => {
  const error = await refused(client.data.create(object, { score: 500 }), 400, "VALIDATION_FAILED");
  assert.deepEqual(new Set(error.fields.map((fault) => fault.field)), new Set(["name", "score"]));
});
await step("data.create, unknown field", () => refused(client.data.create(object, { name: "x", bogus: 1 }), 400, "INVALID_FIELD"));
await step("data.get", async () => assert.equal((await client.data.get(object, one.id)).record.name, "One"));
await step("data.get, absent", () => refused(client.data.get(object, "nope"), 404, "RECORD_NOT_FOUND"));
await step("data.update, ifMatch", async () => {
  const changed = await client.data.update(object, one.id, { score: 61 }, { ifMatch: one.record.updated_at });
  assert.equal(changed.record.score, 61);
});
await step("data.update, stale ifMatch", () =>
  refused(client.data.update(object, one.id, { score: 62 }, { ifMatch: one.record.updated_at }), 409, "CONCURRENT_UPDATE"));
await step("data.createMany", async () => {
  const made = await client.data.createMany(object, [{ name: "Two", score: 2, parent: one.id }, { name: "Three", score: 3 }]);
  assert.equal((made.records ?? made).length, 2);
});
await step("data.find", async () => {
  const page = await client.data.find(object, { top: 2, skip: 0, sort: ["-score", "name"], select: ["id", "name", "score"] });
  assert.deepEqual(page.records.map((record) => record.name), ["One", "Three"]);
  assert.equal(page.hasMore, true);
});
await step("data.find, equality", async () => assert.equal((await client.data.find(object, { where: { name: "Two" } })).records.length, 1));
await step("data.find, filter array", async () =>
  assert.equal((await client.data.find(object, { filter: ["and", ["score", ">=", 3], ["name", "!=", "One"]] })).records.length, 1));
await step("data.find, expand", async () => {
  const page = await client.data.find(object, { where: { name: "Two" }, expand: ["parent"] });
  assert.equal(page.records[0].parent.name, "One");
});
await step("data.query", async () => {
  const page = await client.data.query(object, {
    where: { $or: [{ score: { $gte: 61 } }, { name: { $contains: "Tw" } }] },
    fields: ["id", "name"], orderBy: [{ field: "name", order: "asc" }], limit: 5,
  });
  assert.deepEqual(page.records.map((record) => record.name), ["One", "Two"]);
});
await step("data.query, aggregate", async () => {
  const page = await client.data.query(object, {
    groupBy: ["status"], aggregations: [{ function: "count", alias: "n" }, { function: "sum", field: "score", alias: "s" }],
    having: { n: { $gte: 2 } },
  });
  assert.deepEqual(page.records.map((record) => [record.n, record.s]), [[2, 5]]);
});
await step("data.query, search", async () =>
  assert.equal((await client.data.query(object, { search: "thr" })).records[0].name, "Three"));
await step("data.updateMany", async () => {
  const found = await client.data.find(object, { select: ["id"] });
  const answer = await client.data.updateMany(object, found.records.map(({ id }) => ({ id, data: { status: "done" } })));
  assert.equal(answer.succeeded, 3);
});
await step("data.batch, atomic failure", async () => {
  const answer = await client.data.batch(object, {
    operation: "create", records: [{ data: { name: "A" } }, { data: {} }], options: { atomic: true },
  });
  assert.deepEqual(answer.results.map((item) => item.errors[0].code), ["ROLLED_BACK", "VALIDATION_FAILED"]);
});
await step("data.batchTransaction", async () => {
  const answer = await client.data.batchTransaction([
    { object, action: "create", data: { name: "Parent" } },
    { object, action: "create", data: { name: "Child", parent: { $ref: 0 } } },
  ]);
  assert.equal(answer.results[1].parent, answer.results[0].id);
});
await step("data.clone", async () => {
  const copy = await client.data.clone(object, one.id, { name: "Copy" });
  assert.equal(copy.sourceId, one.id);
});
await step("search", async () => assert.ok((await client.search("Parent", { limit: 5 })).hits.length >= 1));
await step("security.explain", async () =>
  assert.equal((await client.security.explain({ object, operation: "read", recordId: one.id })).allowed, true));
await step("keys.create", async () => assert.match((await client.keys.create({ name: "smoke" })).key, /^osk_/));
await step("i18n", async () => {
  assert.ok((await client.i18n.getLocales()).locales.length);
  assert.equal((await client.i18n.getFieldLabels(object, "en")).labels.name.label, "Name");
});
const shop = {
  manifest: { id: "com.example.smoke", namespace: "smoke_shop", version: "1.0.0", name: "Smoke shop", type: "app" },
  objects: [{ name: "smoke_shop_item", label: "Item", sharingModel: "public_read_write", fields: { name: { type: "text", label: "Name" } } }],
};
await step("packages.install", async () => {
  const made = await client.packages.install({ ...shop.manifest, objects: shop.objects });
  assert.equal(made.status, "installed");
});
await step("packages.install, twice", () =>
  refused(client.packages.install({ ...shop.manifest, objects: shop.objects }), 409, "RESOURCE_CONFLICT"));
await step("packages.list", async () =>
  assert.ok((await client.packages.list()).packages.some((row) => row.manifest.id === shop.manifest.id)));
await step("packages.get", async () => assert.ok(await client.packages.get(shop.manifest.id)));
await step("packages.export", async () => assert.ok(await client.packages.export(shop.manifest.id)));
await step("data.create in a package's object", async () =>
  assert.equal((await client.data.create("smoke_shop_item", { name: "Desk" })).record.name, "Desk"));
await step("packages.uninstall, loses records", () => refused(client.packages.uninstall(shop.manifest.id), 409, "DESTRUCTIVE_CHANGE"));
await step("packages.uninstall", async () => {
  const found = await client.data.find("smoke_shop_item", { select: ["id"] });
  await client.data.deleteMany("smoke_shop_item", found.records.map(({ id }) => id));
  const answer = await fetch(`${BASE_URL}/api/v1/packages/${shop.manifest.id}?force=true`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${(await client.auth.me()).session.token}`, ...(TENANT ? { "X-Tenant": TENANT } : {}) },
  });
  assert.equal(answer.status, 200);
});
await step("data.delete", async () => assert.equal((await client.data.delete(object, one.id)).success, true));
await step("data.deleteMany", async () => {
  const found = await client.data.find(object, { select: ["id"] });
  assert.equal((await client.data.deleteMany(object, found.records.map(({ id }) => id))).success, true);
});
await step("meta.deleteItem, loses records", () => refused(client.meta.deleteItem("object", object), 409, "DESTRUCTIVE_CHANGE"));
await step("meta.deleteItem", async () => {
  const answer = await fetch(`${BASE_URL}/api/v1/meta/object/${object}?force=true`, {
    method: "DELETE", headers: { authorization: `Bearer ${client.token ?? (await client.auth.me()).session.token}` },
  });
  assert.equal(answer.status, 200);
});
await step("auth.logout", () => client.auth.logout());
await step("after logout", () => refused(client.data.find(object), 401, "UNAUTHENTICATED"));

console.log(`${done} calls as promised, ${failed.length} not`);
for (const line of failed) console.log(`  ${line}`);
process.exit(failed.length ? 1 : 0);
