/** Fetches clients of others, so that no test waits for them. */
import { tahuJars } from "./tahu.ts";

await tahuJars();
