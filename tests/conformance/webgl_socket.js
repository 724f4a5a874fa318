// Runs MotionBridgeWebSocket.jslib as Emscripten would link it, over a WebSocket that the test plays.
const assert = require("assert");
const fs = require("fs");

const heap = new Uint8Array(1 << 22);
let free = 8;
const sockets = [];

class FakeSocket {
  constructor(url, subprotocol) {
    if (!url.startsWith("ws")) {
      throw new SyntaxError("bad address " + url);
    }
    Object.assign(this, { url, subprotocol, sent: [], closed: null });
    sockets.push(this);
  }
  send(data) {
    this.sent.push(data);
  }
  close(code, reason) {
    this.closed = { code, reason };
  }
}

const library = {};
const globals = {
  HEAPU8: heap,
  WebSocket: FakeSocket,
  LibraryManager: { library },
  mergeInto: Object.assign,
  autoAddDeps: (table, name) => (globals[name.slice(1)] = table[name]),
  _malloc: (size) => (free += size) - size,
  lengthBytesUTF8: (text) => Buffer.byteLength(text),
  stringToUTF8: (text, pointer) => heap.set([...Buffer.from(text), 0], pointer),
  UTF8ToString: (pointer) => Buffer.from(heap.subarray(pointer, heap.indexOf(0, pointer))).toString(),
};
Object.assign(globalThis, globals);
(0, eval)(fs.readFileSync(process.argv[2], "utf8"));
globalThis.MotionBridgeSockets = globals.MotionBridgeSockets;
const call = (name, ...values) => library["MotionBridgeWebSocket" + name](...values);

const text = (value) => {
  const pointer = globals._malloc(Buffer.byteLength(value) + 1);
  globals.stringToUTF8(value, pointer);
  return pointer;
};
const open = (url, limit = 1000) => {
  const id = call("Open", text(url), text("motionbridge.v1"), limit);
  return [id, sockets[sockets.length - 1]];
};
const message = (...bytes) => ({ data: Uint8Array.from(bytes).buffer });

{
  const [id, socket] = open("ws://127.0.0.1:8765");
  assert.deepStrictEqual([socket.url, socket.subprotocol, socket.binaryType], ["ws://127.0.0.1:8765", "motionbridge.v1", "arraybuffer"]);
  assert.strictEqual(call("State", id), 0);
  assert.strictEqual(call("Send", id, 0, 1), 0);
  socket.onopen();
  assert.strictEqual(call("State", id), 1);
  heap.set([9, 8, 7], 100);
  assert.strictEqual(call("Send", id, 100, 3), 1);
  heap.fill(0, 100, 103);
  assert.deepStrictEqual([...socket.sent[0]], [9, 8, 7]);
  assert.strictEqual(call("NextSize", id), -1);
  socket.onmessage(message(1, 2, 3));
  socket.onmessage(message());
  assert.strictEqual(call("NextSize", id), 3);
  call("Take", id, 200);
  assert.deepStrictEqual([...heap.subarray(200, 203)], [1, 2, 3]);
  assert.strictEqual(call("NextSize", id), 0);
  call("Take", id, 200);
  socket.onmessage({ data: "text" });
  assert.strictEqual(call("NextSize", id), -1);
  socket.onclose({ code: 4001, reason: "wrong token ✗" });
  assert.deepStrictEqual([call("State", id), call("CloseCode", id)], [2, 4001]);
  assert.strictEqual(globals.UTF8ToString(call("CloseReason", id)), "wrong token ✗");
  call("Dispose", id);
}
{
  const [id, socket] = open("ws://127.0.0.1:8765", 10);
  socket.onopen();
  socket.onmessage(message(...new Array(11).fill(0)));
  assert.deepStrictEqual([call("State", id), call("CloseCode", id), call("NextSize", id)], [2, 1009, -1]);
  assert.strictEqual(socket.closed.code, 4011);
}
{
  const [id, socket] = open("ws://127.0.0.1:8765");
  socket.onopen();
  for (let i = 0; i < 300; i++) {
    socket.onmessage(message(i & 255));
  }
  assert.deepStrictEqual([call("State", id), call("CloseCode", id), socket.closed.code], [2, 4011, 4011]);
}
{
  // A connection that is given up, because nothing comes any more, leaves a session to come back to.
  const [id, socket] = open("ws://127.0.0.1:8765");
  socket.onopen();
  call("Dispose", id);
  assert.strictEqual(socket.closed.code, 4011);
}
{
  const id = call("Open", text("http://x"), text("motionbridge.v1"), 10);
  assert.deepStrictEqual([call("State", id), call("CloseCode", id)], [2, 1006]);
  call("Close", id, 1000, text("bye"));
  call("Dispose", id);
}
{
  const [id, socket] = open("wss://x");
  socket.onopen();
  call("Close", id, 1000, text("bye"));
  assert.deepStrictEqual(socket.closed, { code: 1000, reason: "bye" });
}
console.log("ok");
