/** A CSV file on its way in. It goes on while other pages are looked at; the page of imports shows how far it is. */

import { sensorPath } from "../../formats/console-routes.ts";
import { queryOfTime } from "../chart/range.ts";
import { type Look, lookAt, type Stored, store } from "./bulk-upload.ts";
import { type CsvField, type CsvForm, emptyForm, fieldOf, idOfFile, queryOfForm } from "./csv-options.ts";
import { plural } from "./format.ts";
import { goTo, hrefOf, place } from "./router.svelte.ts";
import { session } from "./session.svelte.ts";
import { toasts } from "./toasts.svelte.ts";

export const IMPORT_PATH = "/import";
const SETTLE_MS = 300;
/** Of the range of the readings, beside them. */
const MARGIN = 0.02;
const LEAST_MARGIN_MS = 30_000;

class CsvImport {
  file = $state.raw<File>();
  form = $state<CsvForm>(emptyForm());
  look = $state.raw<Look>();
  /** Why there is no look or no outcome, in a sentence. */
  problem = $state("");
  looking = $state(false);
  /** Share that is sent; undefined where nothing is under way. */
  sent = $state<number>();
  stored = $state.raw<Stored>();
  /** Fields that a person has set: they are not guessed over. */
  readonly #set = new Set<CsvField>();
  #asked = new AbortController();
  #sending = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Fields that decide what could not be understood. */
  get deciding(): readonly CsvField[] {
    return ((this.stored ?? this.look)?.error?.parameters ?? []).flatMap((name) => fieldOf(name) ?? []);
  }

  get mayStore(): boolean {
    return this.look?.status === 200 && this.look.readings > 0 && !this.looking && this.sent === undefined;
  }

  choose(file: File): void {
    this.clear();
    this.file = file;
    void this.#look();
  }

  clear(): void {
    this.#asked.abort();
    clearTimeout(this.#timer);
    this.looking = false;
    this.file = this.look = this.stored = undefined;
    this.form = emptyForm();
    this.problem = "";
    this.#set.clear();
  }

  /** Whoever signs in next finds nothing of it. A file that is on its way goes on, and its outcome is nobody's. */
  forget(): void {
    this.#sending = new AbortController();
    this.sent = undefined;
    this.clear();
  }

  set(field: CsvField, text: string): void {
    this.form[field] = text;
    if (text === "") this.#set.delete(field);
    else this.#set.add(field);
    this.looking = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), SETTLE_MS);
  }

  again(): void {
    void this.#look();
  }

  async #look(): Promise<void> {
    const { file } = this;
    if (file === undefined) return;
    this.#asked.abort();
    const asked = new AbortController();
    this.#asked = asked;
    this.looking = true;
    this.problem = "";
    try {
      let look = await lookAt(file, queryOfForm(this.form), asked.signal);
      if (!asked.signal.aborted && this.#guess(look, file))
        look = await lookAt(file, queryOfForm(this.form), asked.signal);
      if (asked.signal.aborted) return;
      this.look = look;
      if (look.status === 401) void session.ask();
      // A refusal that is not about the file: of the caller, or for now.
      if (look.rows === undefined) this.problem = look.detail ?? `The platform answered ${look.status}.`;
    } catch (error) {
      if (asked.signal.aborted) return;
      this.look = undefined;
      this.problem = `The file could not be looked at: ${(error as Error).message}`;
    }
    this.looking = false;
  }

  /** A file that names no sensor is one; one that does needs no guess. @returns whether the form is another now */
  #guess(look: Look, { name }: File): boolean {
    if (this.#set.has("sensor_id") || !look.error?.parameters.includes("sensor_id")) return false;
    this.form.sensor_id = this.form.sensor_id === "" ? idOfFile(name, session.sensorPrefix) : "";
    return true;
  }

  async store(): Promise<void> {
    const { file } = this;
    if (file === undefined || this.sent !== undefined) return;
    await this.send(file, queryOfForm(this.form));
  }

  /** @param file may be one that was made here */
  async send(file: Blob, query: URLSearchParams): Promise<void> {
    this.stored = undefined;
    this.problem = "";
    this.sent = 0;
    const sending = new AbortController();
    this.#sending = sending;
    const isOurs = () => this.#sending === sending;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    try {
      const stored = await store(file, query, sending.signal, (share) => {
        if (isOurs()) this.sent = share;
      });
      if (!isOurs()) return;
      this.stored = stored;
      if (stored.status === 401) void session.ask();
      this.#tell(stored);
    } catch (error) {
      if (!isOurs()) return;
      this.problem = sending.signal.aborted
        ? "Stopped. A part may be stored: to send the file again stores nothing twice."
        : `${(error as Error).message} A part may be stored: to send the file again stores nothing twice.`;
    } finally {
      window.removeEventListener("beforeunload", warn);
      if (isOurs()) this.sent = undefined;
    }
  }

  stop(): void {
    this.#sending.abort();
  }

  /** Where all of it is stored the chart is next, unless the person has gone elsewhere meanwhile. */
  #tell(stored: Stored): void {
    const all = stored.accepted + stored.duplicate;
    if (stored.status !== 200 || all === 0) return;
    toasts.say(`${plural(all, "reading")} of ${plural(stored.sensors, "sensor")} stored`);
    if ([IMPORT_PATH, "/start"].includes(place.path)) goTo(chartOf(stored));
  }
}

/** The chart of what was stored, at the range of it. */
export function chartOf(stored: Stored): string {
  const [first] = stored.sensor_ids;
  return first === undefined ? hrefOf("/sensors") : hrefOf(sensorPath(first), spanOf(stored));
}

/** The range of what was stored, with some room, as an address has it. */
export function spanOf({ from, to }: Stored): { readonly from?: string; readonly to?: string } {
  if (from === null || to === null) return {};
  const [start, end] = [Date.parse(from), Math.min(Date.parse(to), Date.now())];
  const margin = Math.max(LEAST_MARGIN_MS, (end - start) * MARGIN);
  return { from: queryOfTime(Math.floor(start - margin)), to: queryOfTime(Math.ceil(end + margin)) };
}

export const csvImport = new CsvImport();
session.afterEnd(() => csvImport.forget());
