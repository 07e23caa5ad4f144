// Uploads, watches, searches and talks. One WebSocket does the watching and the talking.
"use strict";

const at = (id) => document.getElementById(id);
const api = async (path, options) => {
  const answer = await fetch(path, options);
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = await answer.json().catch(() => ({}));
  throw new Error(problem.detail || `The server answered ${answer.status}.`);
};

// ---- The WebSocket -------------------------------------------------------------------------------
let socket;
const connected = () => {
  if (socket && socket.readyState <= WebSocket.OPEN) return socket;
  const address = new URL("/chat/ws", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  socket = new WebSocket(address);
  socket.onmessage = (message) => heard(JSON.parse(message.data));
  socket.onclose = () => heard({ type: "error", detail: "The connection has ended. Ask again." });
  return socket;
};
const tell = (wish) => {
  const to = connected();
  const send = () => to.send(JSON.stringify(wish));
  if (to.readyState === WebSocket.OPEN) send();
  else to.addEventListener("open", send);
};
const heard = (event) => (event.type === "document" ? show(event) : hear(event));

// ---- Documents -----------------------------------------------------------------------------------
const show = (found) => {
  const id = found.document_id || found.id;
  let row = at("documents").querySelector(`[data-id="${id}"]`);
  if (found.state === "unknown") return row && row.remove();
  if (!row) {
    row = at("row").content.firstElementChild.cloneNode(true);
    row.dataset.id = id;
    at("documents").prepend(row);
  }
  row.dataset.state = found.state;
  row.querySelector(".name").textContent = found.name;
  row.querySelector(".state").textContent = found.state;
  row.querySelector("progress").value = found.progress;
  row.querySelector(".delete").setAttribute("aria-label", `Delete ${found.name}`);
  const passages = found.chunks === 1 ? "1 passage" : `${found.chunks} passages`;
  const notes = { ready: passages, failed: found.reason };
  row.querySelector(".note").textContent = notes[found.state] || "";
};

const upload = async (file) => {
  const body = new FormData();
  body.append("file", file);
  const { document_id } = await api("/documents", { method: "POST", body });
  show({ document_id, name: file.name, state: "waiting", progress: 0, chunks: 0 });
  tell({ watch: document_id });
};

at("upload").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [form, said] = [event.target, at("upload-said")];
  const button = form.querySelector("button");
  button.disabled = true;
  const failed = [];
  for (const file of at("file").files) {
    said.textContent = `Uploading ${file.name} ...`;
    await upload(file).catch((error) => failed.push(`${file.name}: ${error.message}`));
  }
  said.textContent = failed.join(" ") || "Uploaded. It is being read in the background.";
  said.classList.toggle("error", failed.length > 0);
  form.reset();
  button.disabled = false;
});

at("documents").addEventListener("click", async (event) => {
  if (!event.target.matches(".delete")) return;
  const row = event.target.closest("li");
  if (!confirm(`Delete ${row.querySelector(".name").textContent}?`)) return;
  try {
    await api(`/documents/${row.dataset.id}`, { method: "DELETE" });
    row.remove();
    at("upload-said").textContent = "Deleted.";
  } catch (error) {
    at("upload-said").textContent = error.message;
  }
});

// ---- Search --------------------------------------------------------------------------------------
const passage = (found) => {
  const row = document.createElement("li");
  const name = Object.assign(document.createElement("span"), { className: "name" });
  const text = document.createElement("p");
  [name.textContent, text.textContent] = [found.name, found.text];
  row.append(name, text);
  return row;
};

at("search").addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = at("search-said");
  said.textContent = "Searching ...";
  try {
    const found = await api(`/documents/search?q=${encodeURIComponent(at("question").value)}`);
    at("found").replaceChildren(...found.map(passage));
    said.textContent = found.length ? `${found.length} found` : "Nothing was found.";
  } catch (error) {
    said.textContent = error.message;
  }
});

// ---- Chat ----------------------------------------------------------------------------------------
let answer = null;
const say = (text, kind) => {
  const line = Object.assign(document.createElement("p"), { className: kind, textContent: text });
  at("said").append(line);
  at("said").scrollTop = at("said").scrollHeight;
  return line;
};
const remark = (line, text) =>
  line.append(Object.assign(document.createElement("small"), { textContent: text }));
const done = () => {
  answer = null;
  at("said").removeAttribute("aria-busy"); // now a screen reader reads the whole answer
  at("chat").querySelector("button").disabled = false;
};
const hear = (event) => {
  if (!answer) return;
  if (event.type === "sources") {
    answer.sources = event.names;
    sessionStorage.setItem("conversation", event.conversation_id);
  }
  if (event.type === "text") answer.text.data += event.text;
  if (event.type === "error") answer.line.classList.add("error");
  if (event.type === "error") answer.text.data += ` ${event.detail}`;
  if (event.type === "end" && answer.sources.length) {
    remark(answer.line, `From: ${answer.sources.join(", ")}`);
  }
  at("said").scrollTop = at("said").scrollHeight;
  if (event.type === "end" || event.type === "error") done();
};

at("chat").addEventListener("submit", (event) => {
  event.preventDefault();
  say(at("message").value, "asked");
  const line = say("", "answer");
  answer = { line, text: line.appendChild(new Text()), sources: [] };
  at("said").setAttribute("aria-busy", "true");
  event.target.querySelector("button").disabled = true;
  const conversation = sessionStorage.getItem("conversation");
  tell({ message: at("message").value, ...(conversation && { conversation_id: conversation }) });
  event.target.reset();
});

// A tab keeps its conversation: after a reload it stands there again, and goes on.
const resume = async (conversation) => {
  for (const noted of await api(`/chat/${conversation}`)) {
    say(noted.question, "asked");
    const line = say(noted.answer, "answer");
    if (!noted.complete) remark(line, "This answer was broken off.");
  }
};
if (sessionStorage.getItem("conversation")) {
  resume(sessionStorage.getItem("conversation")).catch((error) => say(error.message, "answer error"));
}
api("/chat").then((model) => (at("no-model").hidden = model.name !== "embedded"), () => {});

// What is not ready yet when the page opens is watched from now on.
for (const row of at("documents").querySelectorAll('[data-state="waiting"], [data-state="processing"]')) {
  tell({ watch: row.dataset.id });
}
