// Uploads, searches and chats. One WebSocket reports documents and answers questions.
"use strict";

const byId = (id) => document.getElementById(id);

async function api(path, options) {
  const response = await fetch(path, options);
  if (response.ok) return response.status === 204 ? null : response.json();
  const body = await response.json().catch(() => ({}));
  const isText = typeof body.detail === "string";
  throw new Error(isText ? body.detail : `The server answered ${response.status}.`);
}

function setStatus(id, text, isError = false) {
  byId(id).textContent = text;
  byId(id).classList.toggle("error", isError);
}

// ---- The WebSocket ----------------------------------------------------------------
let socket;

function connect() {
  if (socket && socket.readyState <= WebSocket.OPEN) return socket;
  const address = new URL("/chat/ws", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  socket = new WebSocket(address);
  socket.onmessage = (message) => handleEvent(JSON.parse(message.data));
  const lost = { type: "error", detail: "The connection was lost. Ask again." };
  socket.onclose = () => addToAnswer(lost);
  return socket;
}

function sendMessage(message) {
  const current = connect();
  const send = () => current.send(JSON.stringify(message));
  if (current.readyState === WebSocket.OPEN) send();
  else current.addEventListener("open", send);
}

function handleEvent(event) {
  if (event.type === "document") showDocument(event);
  else addToAnswer(event);
}

// ---- Documents --------------------------------------------------------------------
const isOpen = (row) => ["waiting", "processing"].includes(row.dataset.state);

function describe({ state, chunks, reason }) {
  if (state === "failed") return reason;
  if (state !== "ready") return "";
  return chunks === 1 ? "1 passage" : `${chunks} passages`;
}

function addRow(id) {
  const row = byId("document").content.firstElementChild.cloneNode(true);
  row.dataset.id = id;
  byId("documents").prepend(row);
  return row;
}

function showDocument(found) {
  const id = found.document_id;
  const present = byId("documents").querySelector(`[data-id="${id}"]`);
  if (found.state === "unknown") return present?.remove();
  const row = present || addRow(id);
  row.dataset.state = found.state;
  row.querySelector(".name").textContent = found.name;
  row.querySelector(".state").textContent = found.state;
  row.querySelector("progress").value = found.progress;
  row.querySelector(".delete").setAttribute("aria-label", `Delete ${found.name}`);
  row.querySelector(".note").textContent = describe(found);
}

async function uploadFile(file) {
  const body = new FormData();
  body.append("file", file);
  const { document_id } = await api("/documents", { method: "POST", body });
  showDocument({ document_id, name: file.name, state: "waiting", progress: 0, chunks: 0 });
  sendMessage({ watch: document_id });
}

byId("upload").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  const files = [...byId("file").files];
  const errors = [];
  for (const file of files) {
    setStatus("upload-status", `Uploading ${file.name} ...`);
    await uploadFile(file).catch((error) => errors.push(`${file.name}: ${error.message}`));
  }
  const uploaded = files.length === 1 ? files[0].name : `${files.length} files`;
  setStatus("upload-status", errors.join(" ") || `Uploaded ${uploaded}.`, errors.length > 0);
  event.target.reset();
  button.disabled = false;
});

byId("documents").addEventListener("click", async (event) => {
  if (!event.target.matches(".delete")) return;
  const row = event.target.closest("li");
  const name = row.querySelector(".name").textContent;
  if (!confirm(`Delete ${name}?`)) return;
  try {
    await api(`/documents/${row.dataset.id}`, { method: "DELETE" });
    row.remove();
    setStatus("upload-status", `Deleted ${name}.`);
  } catch (error) {
    setStatus("upload-status", error.message, true);
  }
});

// ---- Search -----------------------------------------------------------------------
function renderHit(hit) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  const text = document.createElement("p");
  name.className = "name";
  name.textContent = hit.name;
  text.textContent = hit.text;
  item.append(name, text);
  return item;
}

byId("search").addEventListener("submit", async (event) => {
  event.preventDefault();
  setStatus("search-status", "Searching ...");
  try {
    const hits = await api(`/documents/search?q=${encodeURIComponent(byId("query").value)}`);
    byId("hits").replaceChildren(...hits.map(renderHit));
    const count = hits.length === 1 ? "1 passage" : `${hits.length} passages`;
    setStatus("search-status", hits.length ? count : "Nothing was found.");
  } catch (error) {
    setStatus("search-status", error.message, true);
  }
});

// ---- Chat -------------------------------------------------------------------------
let answer = null; // while one arrives: its line, its text and its sources

function addLine(text, kind) {
  const line = document.createElement("p");
  line.className = kind;
  line.textContent = text;
  byId("messages").append(line);
  byId("messages").scrollTop = byId("messages").scrollHeight;
  return line;
}

function addRemark(line, text) {
  const remark = document.createElement("small");
  remark.textContent = text;
  line.append(remark);
}

function startAnswer() {
  const line = addLine("", "answer");
  answer = { line, text: line.appendChild(new Text()), sources: [] };
  byId("messages").setAttribute("aria-busy", "true");
  byId("chat").querySelector("button").disabled = true;
}

function finishAnswer() {
  answer = null;
  byId("messages").removeAttribute("aria-busy"); // a screen reader reads the whole answer
  byId("chat").querySelector("button").disabled = false;
}

function addToAnswer(event) {
  if (!answer) return;
  if (event.type === "sources") {
    answer.sources = event.names;
    sessionStorage.setItem("conversation", event.conversation_id);
  } else if (event.type === "text") {
    answer.text.data += event.text;
  } else if (event.type === "error") {
    answer.line.classList.add("error");
    answer.text.data += ` ${event.detail}`;
  } else if (event.type === "end" && answer.sources.length) {
    addRemark(answer.line, `From: ${answer.sources.join(", ")}`);
  }
  byId("messages").scrollTop = byId("messages").scrollHeight;
  if (event.type === "end" || event.type === "error") finishAnswer();
}

byId("chat").addEventListener("submit", (event) => {
  event.preventDefault();
  const message = byId("message").value;
  addLine(message, "question");
  startAnswer();
  const conversation = sessionStorage.getItem("conversation");
  sendMessage(conversation ? { message, conversation_id: conversation } : { message });
  event.target.reset();
});

// ---- Start ------------------------------------------------------------------------
// A tab keeps its conversation, also after a reload.
async function showConversation(id) {
  for (const logged of await api(`/chat/${id}`)) {
    addLine(logged.question, "question");
    const line = addLine(logged.answer, "answer");
    if (!logged.complete) addRemark(line, "This answer is incomplete.");
  }
}

const conversation = sessionStorage.getItem("conversation");
if (conversation) {
  showConversation(conversation).catch((error) => addLine(error.message, "answer error"));
}
api("/chat").then((model) => (byId("no-model").hidden = model.name !== "none"), () => {});
for (const row of byId("documents").children) {
  if (isOpen(row)) sendMessage({ watch: row.dataset.id });
}
