#!/usr/bin/env node
// The `bin` of the package: hands over to the pinned Node, whichever Node runs this.
process.argv.splice(2, 0, "cli/main.ts");
await import("../scripts/run.mjs");
