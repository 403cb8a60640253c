import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { reasonOf } from "./reason.ts";
import { Secrets } from "./secrets.ts";

const folder = mkdtempSync(join(tmpdir(), "telltale-secrets-"));
afterAll(() => rmSync(folder, { recursive: true }));
const read = (secret: Parameters<Secrets["read"]>[0], env = {}) => new Secrets(env).read(secret, "the key");

test("a secret in a file is read when it is used, without blanks around it", async () => {
  const file = join(folder, "key");
  writeFileSync(file, "first\n");
  expect(await read({ file })).toBe("first");
  writeFileSync(file, " second \r\n");
  expect(await read({ file })).toBe("second");
});

test.each([
  [{ value: " " }, "the key is empty", false],
  [{ env: "MISSING" }, "the key: the variable MISSING is not set", false],
  [{ file: "/nowhere/key" }, 'the key: the file "/nowhere/key" cannot be read (ENOENT)', true],
  [{ file: "/dev/zero" }, 'the key: the file "/dev/zero" is no regular file', true],
  [{ file: folder }, "is no regular file", true],
])("%j is refused by its place", async (secret, message, transient) => {
  const problem = await read(secret).catch((error) => error);
  expect(problem).toMatchObject({ name: "SecretProblem", transient });
  expect(problem.message).toContain(message);
});

test("a file of more than a megabyte is not read", async () => {
  const file = join(folder, "large");
  writeFileSync(file, "secret");
  truncateSync(file, 1_000_001);
  await expect(read({ file })).rejects.toThrow(`the file ${JSON.stringify(file)} has 1000001 bytes, more than 1000000`);
});

test("no reason has a secret, in whatever form the other side quotes it", () => {
  const secret = 'p"ss/w örd';
  const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret), Buffer.from(secret).toString("base64")];
  const reason = reasonOf(`<${forms.join("> <")}>`, [secret]);
  expect(reason).toBe('<***> <***> <"***"> <***>');
});

test("the beginning of a secret at the end of what was read of an answer is taken off", () => {
  const secrets = ["secret-token"];
  expect(reasonOf("the token that you sent me was secret-tok", secrets, true)).toBe("the token that you sent m");
  for (let end = 0; end < 20; end++) {
    const cut = `no: secret-token ${"secret-token ".repeat(9)}`.slice(0, 90 + end);
    expect(reasonOf(cut, secrets, true)).toMatch(/^no: [* ]*$/);
  }
  expect(reasonOf("se", ["secret-token"], true)).toBe("");
});
