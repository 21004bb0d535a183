// The way to the server: JSON, and answers that come piece by piece. The cookie of the one-time link goes along by itself.

class Told extends Error {
  constructor(message, hint = "", status = 0) { super(message); this.hint = hint; this.status = status; }
}

async function wrong(response) {
  let said = {};
  try { said = (await response.json()).error || {}; } catch { /* no JSON: the status has to do */ }
  if (response.status === 401) return new Told("This page has been signed out.", "Type `pocketsleep open` for a new link.", 401);
  return new Told(said.message || `The server answered ${response.status}.`, "", response.status);
}

async function reach(path, options) {
  let response;
  try { response = await fetch(path, options); } catch {
    throw new Told("The server does not answer.", "Is it running? Type `pocketsleep open`.");
  }
  if (!response.ok) throw await wrong(response);
  return response;
}

const asJson = (value) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

export const get = async (path, query = {}) => {
  const some = Object.entries(query).filter(([, v]) => v !== "" && v !== false && v !== undefined);
  const search = some.length ? `?${new URLSearchParams(some)}` : "";
  return (await reach(`/page/${path}${search}`)).json();
};

export const post = async (path, value = {}) => (await reach(`/page/${path}`, asJson(value))).json();

// Calls `each` with every event of an answer. Throws what went wrong on the way.
export async function stream(path, value, each) {
  const reader = (await reach(`/page/${path}`, asJson(value))).body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value: piece, done } = await reader.read();
    if (done) return;
    rest += piece;
    const events = rest.split("\n\n");
    rest = events.pop();
    for (const event of events) {
      if (!event.startsWith("data: ")) continue;
      const said = JSON.parse(event.slice(6));
      if (said.error) throw new Told(said.error, said.hint);
      each(said);
    }
  }
}
