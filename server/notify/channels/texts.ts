/** Texts of others, made fit to stand in a message. */
import { createHash } from "node:crypto";
import type { Message } from "../message.ts";

/** At most so many characters; what is longer ends with "…". */
export function beginning(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const cut = text.slice(0, characters - 1);
  return `${cut.replace(/[\uD800-\uDBFF]$/, "")}…`; // half a character is none
}

/** At most so many bytes of UTF-8, 3 or more; what is longer ends with "…". */
export function beginningBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytes - Buffer.byteLength("…")));
  return `${text.slice(0, read)}…`;
}

/** What a terminal, a header or a mail program would obey becomes a blank; blanks in a row become one. */
export function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ")
    .replace(/\s+/g, " ")
    .trim();
}

/** As `oneLine`, but its lines stay lines. */
export function lines(text: string): string {
  return text
    .split(/\r\n|[\n\r\u2028\u2029]/)
    .map(oneLine)
    .join("\n")
    .trim();
}

/** A text by which others recognise something: one that is too long is told apart by its hash. */
export function identity(text: string, characters: number): string {
  if (text.length <= characters) return text;
  return `${text.slice(0, characters - 65)}#${createHash("sha256").update(text).digest("hex")}`;
}

/** As CloudEvents writes an attribute in a header: what is not printable ASCII is percent-encoded. */
export function headerText(text: string): string {
  return text.toWellFormed().replace(/[^!#$&-~]/gu, (character) => encodeURIComponent(character));
}

/** Why somebody else is notified as well; "" where the route's own receiver is, or that it is over. */
export function escalationNote({ escalation, status }: Message): string {
  if (escalation === undefined || status === "resolved") return "";
  return oneLine(
    `Nobody has acknowledged it so far: step ${escalation.step + 1} of the escalation ${escalation.name}.`,
  );
}

/** Why this receiver is notified, where another one should be. */
export function fallbackNote({ fallback }: Message): string {
  if (fallback === undefined) return "";
  const { receiver, kind, reason } = fallback;
  return oneLine(`You get this because ${receiver} was not notified by ${kind}: ${reason || "no reason is known"}.`);
}

/** What a service of incidents knows the group by: its own id may be longer than they take. */
export function incidentKey({ groupKey }: Message): string {
  return createHash("sha256").update(groupKey).digest("hex");
}

/** An address below a configured one, which may end with slashes. */
export function below(url: string, path: string): string {
  return `${url.replace(/\/+$/, "")}/${path}`;
}

/** Whether a program may be given it as an address of a page or a picture. */
export function isLink(url: string | undefined): url is string {
  return url !== undefined && /^https?:\/\//i.test(url);
}
