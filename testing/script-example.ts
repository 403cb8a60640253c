/** A script for the tests of what runs scripts: starts a database, and a platform where told so, says so, and ends as it is told. */
import { startPlatform } from "./platform.ts";
import { startPostgres } from "./postgres.ts";
import { runScript } from "./script.ts";

await runScript({ name: "example", needs: ["ps"] }, async () => {
  await Promise.all([startPostgres(), ...(process.argv[3] === "platform" ? [startPlatform()] : [])]);
  process.stdout.write("started\n");
  if (process.argv[2] === "fail") throw new Error("the measurement failed");
  if (process.argv[2] === "emit") setTimeout(() => Promise.reject(new Error("nobody waits for this")));
  // As a measurement does whose server is being ended.
  if (process.argv[2] === "break")
    process.once("SIGINT", () => setImmediate(() => broken.reject(new Error("no server"))));
  const broken = Promise.withResolvers<never>();
  setInterval(() => undefined, 1_000);
  return broken.promise;
});
