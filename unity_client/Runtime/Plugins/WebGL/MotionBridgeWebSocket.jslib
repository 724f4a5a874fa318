// The browser's WebSocket for WebGLTransport.cs, which polls it: messages wait here until they are taken.
// A browser cannot drop a connection without a close. tooSlow is the one code after which the server keeps the session.
var MotionBridgeWebSocketLibrary = {
  $MotionBridgeSockets: { next: 1, all: {}, maxWaiting: 256, tooSlow: 4011 },

  MotionBridgeWebSocketOpen: function (urlPointer, subprotocolPointer, maxBytes) {
    var entry = { state: 0, code: 1006, reason: "", waiting: [], socket: null };
    var id = MotionBridgeSockets.next++;
    MotionBridgeSockets.all[id] = entry;
    var finish = function (code, reason) {
      if (entry.state !== 2) {
        entry.state = 2;
        entry.code = code;
        entry.reason = reason;
      }
    };
    try {
      entry.socket = new WebSocket(UTF8ToString(urlPointer), UTF8ToString(subprotocolPointer));
    } catch (error) {
      finish(1006, String(error.message || error));
      return id;
    }
    entry.socket.binaryType = "arraybuffer";
    entry.socket.onopen = function () {
      entry.state = 1;
    };
    entry.socket.onmessage = function (event) {
      if (typeof event.data === "string" || entry.state !== 1) {
        return;
      }
      if (event.data.byteLength > maxBytes) {
        finish(1009, "the server sent a message over " + maxBytes + " bytes");
        entry.socket.close(MotionBridgeSockets.tooSlow);
        return;
      }
      // A tab in the background is not updated: the newest frames are the ones that matter then.
      if (entry.waiting.length >= MotionBridgeSockets.maxWaiting) {
        finish(MotionBridgeSockets.tooSlow, "the page did not read for too long");
        entry.socket.close(MotionBridgeSockets.tooSlow);
        return;
      }
      entry.waiting.push(new Uint8Array(event.data));
    };
    entry.socket.onclose = function (event) {
      finish(event.code, event.reason);
    };
    return id;
  },

  MotionBridgeWebSocketState: function (id) {
    return MotionBridgeSockets.all[id].state;
  },

  MotionBridgeWebSocketCloseCode: function (id) {
    return MotionBridgeSockets.all[id].code;
  },

  MotionBridgeWebSocketCloseReason: function (id) {
    var reason = MotionBridgeSockets.all[id].reason;
    var size = lengthBytesUTF8(reason) + 1;
    var pointer = _malloc(size);
    stringToUTF8(reason, pointer, size);
    return pointer;
  },

  MotionBridgeWebSocketNextSize: function (id) {
    var waiting = MotionBridgeSockets.all[id].waiting;
    return waiting.length > 0 ? waiting[0].length : -1;
  },

  MotionBridgeWebSocketTake: function (id, targetPointer) {
    HEAPU8.set(MotionBridgeSockets.all[id].waiting.shift(), targetPointer);
  },

  MotionBridgeWebSocketSend: function (id, dataPointer, count) {
    var entry = MotionBridgeSockets.all[id];
    if (entry.state !== 1) {
      return 0;
    }
    entry.socket.send(HEAPU8.slice(dataPointer, dataPointer + count));
    return 1;
  },

  MotionBridgeWebSocketClose: function (id, code, reasonPointer) {
    var entry = MotionBridgeSockets.all[id];
    if (entry.socket && entry.state !== 2) {
      entry.socket.close(code, UTF8ToString(reasonPointer));
    }
  },

  MotionBridgeWebSocketDispose: function (id) {
    var entry = MotionBridgeSockets.all[id];
    if (entry) {
      if (entry.socket) {
        entry.socket.onopen = entry.socket.onmessage = entry.socket.onclose = null;
        entry.socket.close(MotionBridgeSockets.tooSlow);
      }
      delete MotionBridgeSockets.all[id];
    }
  },
};

autoAddDeps(MotionBridgeWebSocketLibrary, "$MotionBridgeSockets");
mergeInto(LibraryManager.library, MotionBridgeWebSocketLibrary);
