import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { InvalidArgumentError } from "commander";

/** What went wrong, in one sentence without a stack. */
export function sentence(error: unknown): string {
  if (error instanceof ConnectError) {
    if (error.code === Code.Unavailable) {
      const isNowhere = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN/.test(error.rawMessage);
      const advice = isNowhere ? ". Is it running? Another address: --url, or TELLTALE_URL." : "";
      return `The server cannot be reached: ${error.rawMessage}${advice}`;
    }
    // The server names the header, which nobody writes here.
    const hint = error.code === Code.Unauthenticated ? " (TELLTALE_TOKEN or --token)" : "";
    return `The server refused (${Code[error.code]}): ${error.rawMessage}${hint}`;
  }
  if (!(error instanceof Error)) return String(error);
  const { path } = error as NodeJS.ErrnoException;
  return (path === undefined ? undefined : fileTrouble(path, error)) ?? error.message;
}

/** What is wrong with a file, in a sentence that names it; undefined where the error is about something else. */
export function fileTrouble(file: string, error: unknown): string | undefined {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOENT":
      // As /proc says it of a folder that takes no new ones.
      if ((error as NodeJS.ErrnoException).syscall === "mkdir") return `The folder ${file} cannot be made there.`;
      return existsSync(dirname(file))
        ? `There is no file ${file}.`
        : `There is no folder ${dirname(file)} for ${file}.`;
    case "EEXIST":
      return `${file} is a file; wanted a folder.`;
    case "EISDIR":
      return `${file} is a folder; wanted a file.`;
    case "ENOTDIR":
      return `${file} lies in what is not a folder.`;
    case "EACCES":
    case "EPERM":
      return `This user may not read or write ${file}.`;
    case "ENOSPC":
      return `The disk of ${file} is full.`;
    default:
      return undefined;
  }
}

/** Parser of an id, with or without the # that lines print before it, for commander. */
export function readId(text: string): bigint {
  const digits = /^#?(\d{1,16})$/.exec(text)?.[1];
  if (digits === undefined) throw new InvalidArgumentError("Wanted a number such as 955051426180096.");
  return BigInt(digits);
}

/**
 * Parser of a number option, for commander.
 * @param what.or the word that the option takes beside numbers, for the message
 */
export function number(what: { min: number; max: number; integer?: boolean; or?: string }): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const fits =
      text.trim() !== "" && value >= what.min && value <= what.max && (!what.integer || Number.isInteger(value));
    if (fits) return value;
    const or = what.or === undefined ? "" : `, or ${what.or}`;
    throw new InvalidArgumentError(`Wanted a ${what.integer ? "whole " : ""}number ${rangeText(what)}${or}.`);
  };
}

function rangeText({ min, max }: { min: number; max: number }): string {
  if (max < Number.MAX_VALUE) return `from ${min} to ${max}`;
  return min === -Number.MAX_VALUE ? "such as 70 or -3.5" : `of at least ${min}`;
}
