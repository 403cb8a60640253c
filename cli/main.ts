#!/usr/bin/env node
// The command line.
import { CommanderError } from "commander";
import { sentence } from "./errors.ts";
import { loadProgram } from "./program.ts";

/** Commands that do nothing but print, for as long as somebody reads. */
const PRINTING = new Set(["watch", "score"]);

const program = await loadProgram(process.argv[2]);

// A reader that has seen enough (`| head`) is no error. What a command does besides printing it goes on with, and with its exit code.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  if (PRINTING.has(process.argv[2] ?? "")) process.exit(0);
});

try {
  await program.parseAsync();
} catch (error) {
  // commander has already printed what was wrong with the arguments
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else {
    console.error(sentence(error));
    process.exitCode ||= 1; // an interrupted command has set its own
  }
}
