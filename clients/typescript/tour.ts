// The tour of the README, with the client that openapi-typescript makes of the contract.
import createClient from "openapi-fetch";
import type { components, paths } from "./daybook.js";

declare const process: { env: Record<string, string | undefined> };

const key = process.env["KEY"] ?? "";
const desk = createClient<paths>({ baseUrl: process.env["DESK"] ?? "", headers: { Authorization: `Bearer ${key}` } });

// must returns what was asked for, or throws the problem.
function must<T>(answer: { data?: T; error?: components["schemas"]["Problem"]; response: Response }): T {
  if (answer.data === undefined) {
    throw new Error(`${answer.response.status} ${answer.error?.code}: ${answer.error?.detail}`);
  }
  return answer.data;
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) {
    throw new Error(what);
  }
}

// Find a contact, then list their tickets, newest first.
const found = must(await desk.GET("/v1/contacts", { params: { query: { q: "ada costa" } } }));
const ada = found.data[0];
check(ada !== undefined && ada.name === "Ada Costa", "Ada is not there");
const params = { path: { id: ada.id } };

const tickets = must(await desk.GET("/v1/contacts/{id}/tickets", { params: { ...params, query: { limit: 1, expand: ["agent", "department"] } } }));
const ticket = tickets.data[0];
check(ticket !== undefined && ticket.contact_id === ada.id, "the ticket is not Ada's");
check(ticket.agent?.id === (ticket.agent_id ?? undefined), "the agent is not the ticket's");
const status: components["schemas"]["TicketStatus"] = ticket.status;

// What each agent did, by week.
const query = { from: "2026-01-05", to: "2026-01-19", tz: "Europe/Rome", by: "week", metrics: ["worktime", "answers", "resolved_tickets"] } as const;
const report = must(await desk.GET("/v1/reports/agents", { params: { query: { ...query, metrics: [...query.metrics] } } }));
check(typeof report === "object" && report.data.length > 0, "the report is empty");
const table = must(await desk.GET("/v1/reports/agents.csv", { params: { query: { ...query, metrics: [...query.metrics] } }, parseAs: "text" }));
check(table.startsWith("bucket,agent_id,agent,worktime"), `the table begins with ${table.slice(0, 40)}`);

// A change records who made it and why. Sent again with the same key, it is made only once.
const edit = () => desk.PATCH("/v1/contacts/{id}", {
  params: { ...params, header: { "Idempotency-Key": "typescript-1", "Daybook-Reason": "she asked us to" } },
  body: { language: "en-GB" },
});
const edited = must(await edit());
check(edited.language === "en-GB", `her language is ${edited.language}`);
const again = await edit();
check(again.response.headers.get("Idempotent-Replayed") === "true", "the change was made twice");

// A query waits for a position.
const after = again.response.headers.get("Daybook-Position") ?? "";
const timeline = must(await desk.GET("/v1/contacts/{id}/timeline", { params: { ...params, query: { limit: 1 }, header: { "Daybook-After": after } } }));
check(timeline.data[0]?.reason === "she asked us to", "the reason is not there");

// The contact as of a day in the past.
const then = must(await desk.GET("/v1/contacts/{id}", { params: { ...params, query: { as_of: "2026-01-18T00:00:00Z" } } }));
check(then.language === "", `her language was ${then.language}`);

// A refusal has a code.
const none = await desk.GET("/v1/tickets/{id}", { params: { path: { id: "00000000-0000-4000-8000-000000000000" } } });
const code: components["schemas"]["ProblemCode"] | undefined = none.error?.code;
check(code === "ticket-unknown", `the code is ${code}`);

console.log(`the tour is done: ${ada.name}, ${status}`);
