import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { configCommand } from "./commands/config.ts";
import { readText } from "./input.ts";

test("a file that cannot be read is named, also where the system's error does not name it", async () => {
  await expect(readText(tmpdir())).rejects.toThrow(`${tmpdir()} is a folder; wanted a file.`);
  const missing = join(tmpdir(), "telltale-nobody-made-this.ics");
  await expect(readText(missing)).rejects.toThrow(`There is no file ${missing}.`);
});

test("a folder in place of a list of holidays is refused before a server is asked", async () => {
  const args = ["set", "--holidays-file", tmpdir(), "--url", "http://127.0.0.1:9"];
  await expect(configCommand().parseAsync(args, { from: "user" })).rejects.toThrow("is a folder; wanted a file");
});
