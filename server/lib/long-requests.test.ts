import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { allowLong, spareLong } from "./long-requests.ts";

test("of two long requests on one connection the second may still be long when the first is over", async () => {
  const server = createServer({ requestTimeout: 60, headersTimeout: 60, connectionsCheckingInterval: 10 });
  spareLong(server);
  server.on("request", async (request, response) => {
    allowLong(request);
    response.end(`${await text(request)}\n`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const head = (headers: string) => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n${headers}\r\n`;
  // Both are taken before anybody has read the first one to its end.
  socket.write(`${head("")}first${head("Connection: close\r\n")}se`);
  const [error] = await once(server, "clientError");
  expect(error.code).toBe("ERR_HTTP_REQUEST_TIMEOUT");
  socket.write("con");
  const answers = await text(socket);
  expect(answers).toContain("first\n");
  expect(answers).toContain("secon\n");
  server.close();
});
