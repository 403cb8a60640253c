import { Code, ConnectError } from "@connectrpc/connect";
import { InvalidArgumentError } from "commander";

/** What went wrong, in one sentence without a stack. */
export function sentence(error: unknown): string {
  if (error instanceof ConnectError) {
    if (error.code === Code.Unavailable) return `The server cannot be reached: ${error.rawMessage}`;
    return `The server refused (${Code[error.code]}): ${error.rawMessage}`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** Parser of a number option, for commander. */
export function number(what: { min: number; max: number; integer?: boolean }): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const fits =
      text.trim() !== "" && value >= what.min && value <= what.max && (!what.integer || Number.isInteger(value));
    if (fits) return value;
    throw new InvalidArgumentError(`Wanted a ${what.integer ? "whole " : ""}number from ${what.min} to ${what.max}.`);
  };
}
