/** Fetches clients of others, so that no test waits for them. */
import { nodeRed } from "./node-red.ts";
import { tahuJars } from "./tahu.ts";

await Promise.all([tahuJars(), nodeRed()]);
