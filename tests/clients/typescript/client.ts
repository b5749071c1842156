// What a host application does, written against the generated types alone: `link` prints the address to open, `report`
// reports an event and reads lists. Each prints one line of JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };

const [, , step, baseUrl, email, password] = process.argv as [string, string, string, string, string, string];

const anybody = createClient<paths>({ baseUrl });
const signedIn = await anybody.POST("/api/auth/login", { body: { email, password } });
if (signedIn.data === undefined) throw new Error(signedIn.error.error.code);
const token: string = signedIn.data.access_token;
const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });

function given<Data>(answer: { data?: Data; error?: unknown }): Data {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

if (step === "link") {
  const link = given(await api.GET("/api/telegram/link-account"));
  console.log(JSON.stringify({ linking_url: link.linking_url, workspace: signedIn.data.user.workspace.name }));
} else {
  const status = given(await api.GET("/api/telegram/status"));
  // Only what is needed: everything else may be left out.
  const event: components["schemas"]["EventIn"] = { type: "post_success", data: { platform: "instagram", likes: 3 } };
  const alert: components["schemas"]["AlertIn"] = { title: "Disk full", severity: "critical" };
  const silence: components["schemas"]["AlertSilenceIn"] = {
    matchers: [{ label: "service", value: "payments" }],
    seconds: 600,
  };
  const accepted = given(await api.POST("/api/events", { body: event }));
  const raised = given(await api.POST("/api/alerts", { body: alert }));
  given(await api.POST("/api/alerts/silences", { body: silence }));
  const events = given(await api.GET("/api/events", { params: { query: { limit: 1 } } }));
  const messages = given(await api.GET("/api/messages"));
  const alerts = given(await api.GET("/api/alerts", { params: { query: { state: "firing" } } }));
  const silences = given(await api.GET("/api/alerts/silences"));
  const next: string | null = events.next_cursor;

  // @ts-expect-error a misspelled field does not compile
  const misspelled: components["schemas"]["EventIn"] = { type: "post_success", subjct: "post:1" };
  const refused = await api.POST("/api/events", { body: misspelled });

  console.log(
    JSON.stringify({
      linked: status.telegram_enabled,
      decision: accepted.decision,
      alert: raised.decision,
      events: events.events.map((one) => one.event_id === accepted.event_id),
      messages: messages.messages.length,
      alerts: alerts.alerts.length,
      silences: silences.silences.map((one) => one.state),
      next,
      refused: refused.error?.error.code,
    }),
  );
}
