import { quoted } from "../../../lib/quoted.ts";
import { MAX_MAIL_CHARACTERS } from "../../channels/limits.ts";
import { isReserved } from "../../channels/mail/headers.ts";
import type { Text } from "../../templates/template.ts";
import type { EmailConfig } from "../config.ts";
import { MAX_NAME } from "../limits.ts";
import { recipientsTrouble } from "./addresses.ts";
import type { Global } from "./global.ts";
import { readPicture } from "./http-channel.ts";
import { readSmtp, SMTP_NAMES } from "./smtp.ts";
import type { Fields, Known, Value } from "./value.ts";

const EMAIL: Known = {
  of: "an e-mail",
  names: ["to", "headers", "html", "text", "send_resolved", "picture", "threading", ...SMTP_NAMES],
  later: ["auth_secret", "auth_secret_file", "auth_identity"],
  instead: "write auth_password, or remove it.",
};
/** E-mails of a group form one conversation, whatever is written there. */
const THREADING: Known = { of: "threading", names: ["enabled", "thread_by_date"] };

const HEADER_NAME = /^[\x21-\x39\x3b-\x7e]+$/;
/** The port where TLS is spoken from the first byte. */
const SMTPS_PORT = 465;

export function readEmail(value: Value, global: Global): EmailConfig<Text> | undefined {
  const fields = value.fields(EMAIL);
  if (fields === undefined) return undefined;
  const to = readRecipients(fields.required("to"));
  const headers = readHeaders(fields.get("headers"));
  fields.get("threading")?.fields(THREADING);
  const body = readMailBody(fields);
  const own = readSmtp(fields, "");
  const smtp = { ...global.smtp, ...own };
  const { from, smarthost, hello = "localhost", authUsername, authPassword } = smtp;
  const isWritten = (name: string) => fields.get(name) !== undefined || global.has(`smtp_${name}`);
  for (const name of ["from", "smarthost"])
    if (!isWritten(name)) value.problem(`has no ${name}: write it here, or smtp_${name} in global.`);
  const hasPassword = isWritten("auth_password") || isWritten("auth_password_file");
  if (isWritten("auth_username") !== hasPassword)
    value.problem("has auth_username or auth_password without the other: write both, here or in global.");
  if (to === undefined || from === undefined || smarthost === undefined) return undefined;
  return {
    kind: "email",
    ...{ to, from, smarthost, hello },
    ...(authUsername !== undefined && { authUsername }),
    ...(authPassword && { authPassword }),
    requireTls: smtp.requireTls ?? true,
    implicitTls: smtp.implicitTls ?? smarthost.port === SMTPS_PORT,
    tls: smtp.tls ?? {},
    headers,
    ...body,
    ...readPicture(fields, true),
    sendResolved: fields.get("send_resolved")?.flag() ?? false,
  };
}

/** What a template makes of them is looked at when it is filled in. */
function readRecipients(value: Value | undefined): Text | undefined {
  const text = value?.templatedPlace(MAX_MAIL_CHARACTERS);
  if (value === undefined || typeof text !== "string") return text;
  const trouble = recipientsTrouble(text);
  return trouble === undefined ? text : value.problem(trouble);
}

/** Parts of the e-mail; an empty text: there is none of them. */
function readMailBody(fields: Fields): Pick<EmailConfig<Text>, "html" | "text"> {
  const read = (name: "html" | "text") =>
    fields.get(name)?.templated({ mode: name, most: MAX_MAIL_CHARACTERS, isWhole: name === "html" });
  const [html, text] = [read("html"), read("text")];
  if (html === "" && text === "") fields.at.problem("has neither html nor text: leave one of them out for ours.");
  return { ...(html !== undefined && { html }), ...(text !== undefined && { text }) };
}

function readHeaders(value: Value | undefined): Record<string, Text> {
  const headers = new Map<string, readonly [string, Text]>();
  for (const [name, each] of value?.entries() ?? []) {
    const text = each.templatedLine();
    if (!HEADER_NAME.test(name) || name.length > MAX_NAME) each.problem(`${quoted(name)} is no name of a header.`);
    if (isReserved(name)) each.problem(`the header ${quoted(name)} is set by the platform and cannot be changed.`);
    // Header names have no case.
    if (headers.has(name.toLowerCase())) each.problem(`the header ${quoted(name)} is there twice: take one out.`);
    headers.set(name.toLowerCase(), [name, text ?? ""]);
  }
  return Object.fromEntries(headers.values());
}
