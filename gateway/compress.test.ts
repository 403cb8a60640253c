import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { encode, keep } from "./compress.ts";

const body = Buffer.from(JSON.stringify(Array.from({ length: 500 }, (_, id) => ({ id, sensor_id: "boiler-1" }))));
const codingFor = async (accepted: string | undefined, type = "application/json", bytes = body) =>
  (await encode(accepted, type, bytes)).headers["content-encoding"];

test("an answer is compressed by what the client weighs highest", async () => {
  expect(await codingFor("gzip, deflate, br")).toBe("br");
  expect(await codingFor("gzip, deflate")).toBe("gzip");
  expect(await codingFor("br;q=0.5, gzip;q=0.8")).toBe("gzip");
  expect(await codingFor("*")).toBe("br");
  expect(await codingFor("br;q=0, *;q=0.1")).toBe("gzip");
});

test("it is left as it is where nothing is gained or accepted, and in event streams", async () => {
  for (const accepted of [undefined, "", "identity", "br;q=0, gzip;q=0"]) {
    expect(await codingFor(accepted)).toBeUndefined();
  }
  expect(await codingFor("gzip", "application/json", Buffer.from("{}"))).toBeUndefined();
  expect(await codingFor("gzip", "text/event-stream")).toBeUndefined();
  expect(await codingFor("gzip", "image/png")).toBeUndefined();
  expect((await encode("identity", "application/json", body)).headers.vary).toBe("Accept-Encoding");
});

test("it comes out as it was", async () => {
  expect(brotliDecompressSync((await encode("br", "application/json", body)).bytes)).toEqual(body);
  expect(gunzipSync((await encode("gzip", "application/json; charset=utf-8", body)).bytes)).toEqual(body);
});

test("what is answered again and again is compressed once for each coding", async () => {
  const page = keep(Buffer.from(body));
  const [first, second] = [await encode("br", "text/html", page), await encode("br", "text/html", page)];
  expect(second.bytes).toBe(first.bytes);
  expect(brotliDecompressSync(second.bytes)).toEqual(body);
  expect(gunzipSync((await encode("gzip", "text/html", page)).bytes)).toEqual(body);
  expect((await encode("br", "text/html", body)).bytes).not.toBe((await encode("br", "text/html", body)).bytes);
});
