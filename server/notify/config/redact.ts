/** Files as they may be shown again: with everything but the secrets. */
import { isAlias, isMap, isScalar, isSeq, Lexer, type Node, parseDocument, visit } from "yaml";
import { YAML } from "./read/source.ts";

export const REDACTED = "<secret>";

/**
 * Names of secrets, wherever they stand: the format's own, and those of Alertmanager that are not available yet. Too many is no harm.
 * What ends in `_file` is a path.
 */
const SECRET_NAME = /(?:urls?|uri|passwords?|secrets?|token|token_id|topic|key|credentials?|cookie|authorization)$/i;
/** Addresses among them. amtool, which is given the file, reads no address that is hidden whole. */
const ADDRESS_NAME = /(?:urls?|uri)$/i;
/** An object of headers, each of which may be a password, whatever its name. */
const ALL_SECRET = "proxy_connect_header";
/** In a comment: a setting that is switched off, with whatever stands behind its name. */
const SECRET_COMMENT = new RegExp(
  `(^|[\\s"'{,#-])([\\w-]*${SECRET_NAME.source.slice(0, -1)}["']?\\s*[:=]\\s*)\\S.*`,
  "i",
);
const REFERENCE = /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/;

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/**
 * The text with `<secret>` for every secret, in comments too; references to variables and files stay. Undefined where it is no YAML, and
 * so cannot be shown.
 */
export function redactText(text: string): string | undefined {
  const document = parseDocument(text, YAML);
  if (document.errors.length > 0) return undefined;
  const edits: Edit[] = commentEdits(text);
  const hide = (node: Node | null, shown: (value: string) => string): void => {
    if (isAlias(node)) hide(node.resolve(document) ?? null, shown);
    // An object's own names say what is secret in it.
    else if (isSeq(node)) for (const item of node.items) hide(item as Node, shown);
    else if (isScalar(node) && !REFERENCE.test(String(node.value))) {
      const [from, to] = node.range!;
      const value = String(node.value).trim();
      const hidden = shown(value);
      if (hidden === value) return;
      // A block's text ends with the line.
      edits.push({ from, to, text: text.slice(from, to).endsWith("\n") ? `${hidden}\n` : hidden });
    }
  };
  visit(document, {
    Pair: (_, { key, value }) => {
      if (!isScalar(key)) return;
      const name = String(key.value);
      const shown = ADDRESS_NAME.test(name) ? shownAddress : () => REDACTED;
      if (SECRET_NAME.test(name)) hide(value as Node | null, shown);
      if (name === ALL_SECRET && isMap(value))
        for (const each of value.items) hide(each.value as Node | null, () => REDACTED);
    },
  });
  return applied(text, edits);
}

/** Its host, which receivers are shown with as well. Whoever knows the rest of the address may write to it. */
function shownAddress(address: string): string {
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return REDACTED;
  const { origin, href } = new URL(address);
  if (href === origin || href === `${origin}/`) return address;
  const shown = `${origin}/${REDACTED}`;
  // The brackets of an address of IPv6 would be a list.
  return shown.includes("[") ? `"${shown}"` : shown;
}

/** Whether the text is what is shown of a secret. */
export function isRedacted(text: string): boolean {
  return text === REDACTED || /^https?:\/\/[^/]+\/<secret>$/.test(text);
}

function commentEdits(text: string): Edit[] {
  const edits: Edit[] = [];
  let at = 0;
  let before = "";
  for (const token of new Lexer().lex(text)) {
    // The lexer's own marks are not in the text; behind the one of a scalar comes a scalar, whatever it begins with.
    const isMark = token === SCALAR_MARK || token === DOCUMENT_MARK || token === FLOW_ERROR_MARK;
    if (!isMark && token.startsWith("#") && before !== SCALAR_MARK) {
      const hidden = token.replace(SECRET_COMMENT, `$1$2${REDACTED}`);
      if (hidden !== token) edits.push({ from: at, to: at + token.length, text: hidden });
    }
    if (!isMark) at += token.length;
    before = token;
  }
  return edits;
}

const DOCUMENT_MARK = "\x02";
const FLOW_ERROR_MARK = "\x18";
const SCALAR_MARK = "\x1f";

/** One that an alias names again is made once. */
function applied(text: string, edits: readonly Edit[]): string {
  const unique = [...new Map(edits.map((edit) => [edit.from, edit])).values()].sort((a, b) => a.from - b.from);
  const pieces = unique.map((edit, i) => text.slice(unique[i - 1]?.to ?? 0, edit.from) + edit.text);
  return pieces.join("") + text.slice(unique.at(-1)?.to ?? 0);
}
