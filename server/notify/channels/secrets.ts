/** Secrets are read when a message is sent: a file that is replaced counts from the next message on. */
import { readFile as readText, stat } from "node:fs/promises";
import type { Environment } from "../../environment.ts";
import type { Secret } from "../config/config.ts";
import { MAX_SECRET_FILE_BYTES } from "./limits.ts";

/** A secret that cannot be had. The message names where it was looked for, never what was found there. */
export class SecretProblem extends Error {
  /** Whether it may be there later without a change of the configuration. */
  readonly transient: boolean;

  constructor(message: string, transient: boolean) {
    super(message);
    this.name = "SecretProblem";
    this.transient = transient;
  }
}

/** Reads the secrets of one attempt, and remembers them: no reason may contain one. */
export class Secrets {
  readonly #environment: Environment;
  readonly #known: string[] = [];

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** What was read so far, and was hidden. */
  get known(): readonly string[] {
    return this.#known;
  }

  /** More that no reason may contain. */
  hide(...texts: readonly string[]): void {
    this.#known.push(...texts);
  }

  /**
   * The secret, without blanks around it.
   *
   * @param what it is, for the complaint: "the password of the mail server"
   * @throws SecretProblem where there is none
   */
  async read(secret: Secret, what: string): Promise<string> {
    const text = await this.#text(secret, what);
    this.hide(text);
    return text;
  }

  async #text(secret: Secret, what: string): Promise<string> {
    if ("file" in secret) return await readPublicFile(secret.file, what);
    if ("value" in secret) return given(secret.value, `${what} is empty`, false);
    return given(this.#environment[secret.env], `${what}: the variable ${secret.env} is not set`, false);
  }
}

/**
 * The text of a file that is no secret, such as certificates.
 *
 * @throws SecretProblem where there is none
 */
export async function readPublicFile(path: string, what: string): Promise<string> {
  const where = `${what}: the file ${JSON.stringify(path)}`;
  return given(await readFile(path, where), `${where} is empty`, true);
}

function given(value: string | undefined, complaint: string, transient: boolean): string {
  const text = value?.trim() ?? "";
  if (text === "") throw new SecretProblem(complaint, transient);
  return text;
}

async function readFile(path: string, where: string): Promise<string> {
  try {
    const found = await stat(path);
    // A pipe would be waited for, a device has no end.
    if (!found.isFile()) throw new SecretProblem(`${where} is no regular file`, true);
    if (found.size > MAX_SECRET_FILE_BYTES) {
      throw new SecretProblem(`${where} has ${found.size} bytes, more than ${MAX_SECRET_FILE_BYTES}`, true);
    }
    return await readText(path, "utf8");
  } catch (error) {
    if (error instanceof SecretProblem) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new SecretProblem(`${where} cannot be read (${code})`, true);
  }
}
