/**
 * Keeps track of where in an HTML text a value stands, so that nothing in it becomes markup. Not html/template: scripts, handlers and the like
 * take no values at all.
 */
import { Failure } from "./failure.ts";
import { goEscaped } from "./functions.ts";
import { printed, Safe, type Value } from "./values.ts";

type Place =
  | { readonly kind: "text" | "comment" | "tag" }
  /** Of what no value may be a part: names of elements and attributes. */
  | { readonly kind: "name"; readonly text: string }
  /** `title` and `textarea`: text only. `script` and `style`: nobody's values. */
  | { readonly kind: "raw"; readonly element: string }
  | {
      readonly kind: "attribute";
      readonly what: Attribute;
      readonly name: string;
      readonly quote: string;
      /** Its beginning. */
      readonly value: string;
      /** Of a URL: whether what follows is a part of its query or its fragment, as the template has it. */
      readonly isQuery: boolean;
    };

type Attribute = "plain" | "url" | "style" | "program";

const TEXT: Place = { kind: "text" };
const RAW = new Set(["script", "style", "title", "textarea", "iframe", "noscript", "xmp", "noembed", "noframes"]);
const URLS = new Set([
  ...[
    "action",
    "archive",
    "background",
    "cite",
    "classid",
    "codebase",
    "data",
    "formaction",
    "href",
    "icon",
    "longdesc",
  ],
  ...["manifest", "ping", "poster", "profile", "src", "usemap", "xmlns"],
]);
const HARMLESS_SCHEME = /^(?:https?|mailto|tel|cid):/i;
/** In so many a scheme has shown itself. */
const SCHEME_CHARACTERS = 100;
/** What html/template refuses in a style: by these a value would be more than a value. */
const NO_STYLE = /["'()/;@[\\\]`{}<>\0]|--|expression|mozbinding/i;

export class HtmlWriter {
  #place: Place = TEXT;
  /** Of the tag that is open. */
  #element = "";
  #attribute = "";

  /** What the template itself says, without its comments: nobody reads them, and what is in them may be a value. */
  markup(text: string): string {
    return this.#follow(text, true);
  }

  /** A value, as it may stand here. @throws Failure where none may */
  value(value: Value): string {
    return this.#place.kind === "comment" ? "" : this.#follow(this.#escaped(value), false);
  }

  #escaped(value: Value): string {
    const place = this.#place;
    // What is no value at all is nothing here.
    const text = value === undefined ? "" : printed(value);
    const safe = value instanceof Safe ? value.what : undefined;
    if (place.kind === "text") return safe === "html" || safe === "escaped" ? text : escapedText(text);
    if (place.kind === "raw" && (place.element === "title" || place.element === "textarea"))
      return safe === "escaped" ? text : escapedText(text);
    if (place.kind !== "attribute")
      throw new Failure(`stands ${WHERE[place.kind]}, where no value may be: put it into text.`);
    if (place.what === "program") throw new Failure(`stands in the attribute ${place.name}, where no value may be.`);
    if (place.what === "style" && NO_STYLE.test(text)) return "ZgotmplZ";
    const made = place.what === "url" ? urlText(place, text, safe) : text;
    const escaped = safe === "escaped" ? made : escapedText(made);
    if (/["']/.test(place.quote)) return escaped;
    // Without quotes nothing would be the beginning of what follows.
    return escaped === "" ? "ZgotmplZ" : escaped.replace(/[\s=`]/g, reference);
  }

  #follow(text: string, isMarkup: boolean): string {
    let kept = "";
    for (let at = 0; at < text.length; ) {
      const wasComment = this.#place.kind === "comment";
      const next = this.#step(text, at, isMarkup);
      const piece = wasComment ? "" : text.slice(at, next);
      kept += this.#place.kind === "comment" ? piece.replace(/<!--$/, "") : piece;
      at = next;
    }
    return kept;
  }

  /** One character, or as many as change nothing. */
  #step(text: string, at: number, isMarkup: boolean): number {
    const place = this.#place;
    const character = text[at]!;
    switch (place.kind) {
      case "text": {
        const open = text.indexOf("<", at);
        if (open < 0) return text.length;
        if (text.startsWith("<!--", open)) this.#place = { kind: "comment" };
        else if (/^<[/a-z!?]/i.test(text.slice(open, open + 2)) || open + 1 === text.length) {
          this.#place = { kind: "name", text: "" };
          this.#element = "<";
        }
        return open + (this.#place.kind === "comment" ? 4 : 1);
      }
      case "comment": {
        const end = text.indexOf("-->", at);
        if (end >= 0) this.#place = TEXT;
        return end < 0 ? text.length : end + 3;
      }
      case "raw": {
        const end = new RegExp(`</${place.element}`, "gi");
        end.lastIndex = at;
        const found = end.exec(text);
        if (found !== null) this.#place = TEXT;
        return found === null ? text.length : found.index;
      }
      case "name":
        return this.#name(place.text, character, at);
      case "tag":
        if (character === ">") this.#endTag();
        // Blanks may stand before it.
        else if (character === "=" && this.#attribute !== "") this.#beginValue();
        else if (!/[\s/]/.test(character)) {
          this.#place = { kind: "name", text: "" };
          return at;
        }
        return at + 1;
      case "attribute":
        return this.#inAttribute(place, { text, at, isMarkup });
    }
  }

  #name(text: string, character: string, at: number): number {
    const isElement = this.#element === "<";
    if (!/[\s/>=]/.test(character) || (text === "" && (isElement ? character === "/" : character === "="))) {
      this.#place = { kind: "name", text: text + character };
      return at + 1;
    }
    if (isElement) this.#element = text.toLowerCase();
    else this.#attribute = text.toLowerCase();
    this.#place = { kind: "tag" };
    return at;
  }

  #beginValue(): void {
    const name = this.#attribute;
    this.#attribute = "";
    this.#place = { kind: "attribute", what: attributeOf(name), name, quote: "?", value: "", isQuery: false };
  }

  #inAttribute(
    place: Place & { kind: "attribute" },
    { text, at, isMarkup }: { readonly text: string; readonly at: number; readonly isMarkup: boolean },
  ): number {
    const { quote, value } = place;
    const character = text[at]!;
    if (quote === "?") {
      if (/\s/.test(character)) return at + 1;
      const isQuoted = character === '"' || character === "'";
      this.#place = { ...place, quote: isQuoted ? character : "" };
      return isQuoted ? at + 1 : at;
    }
    if (quote === "" ? /[\s>]/.test(character) : character === quote) {
      this.#place = { kind: "tag" };
      return quote === "" ? at : at + 1;
    }
    // A # behind & is of a character's number.
    const isQuery = place.isQuery || (isMarkup && (character === "?" || (character === "#" && text[at - 1] !== "&")));
    if (value.length < SCHEME_CHARACTERS || isQuery !== place.isQuery)
      this.#place = { ...place, value: value.length < SCHEME_CHARACTERS ? value + character : value, isQuery };
    return at + 1;
  }

  #endTag(): void {
    this.#place = RAW.has(this.#element) ? { kind: "raw", element: this.#element } : TEXT;
    this.#attribute = "";
  }
}

/** As html/template sorts them: names of one's own are judged by what they say. */
function attributeOf(name: string): Attribute {
  const bare = name.replace(/^data-/, "").replace(/^.*:/, "");
  if (/^on|^srcdoc$|^srcset$/.test(bare)) return "program";
  if (bare === "style") return "style";
  const isOwn = name.startsWith("data-") || !URLS.has(bare);
  return URLS.has(bare) || (isOwn && /src|uri|url/.test(bare)) || name.startsWith("xmlns:") ? "url" : "plain";
}

/** A value as a part of a URL: in its query nothing of it separates parameters. */
function urlText(
  { value, isQuery }: Place & { kind: "attribute" },
  text: string,
  safe: Safe["what"] | undefined,
): string {
  if (safe !== "url" && !isHarmlessUrl(value + text)) return "#ZgotmplZ";
  if (safe === "query") return text;
  return percentEncoded(text, isQuery && safe !== "url" ? NO_PART : NO_URL);
}

/** What cannot stand in a URL; by the parentheses and the single quote somebody could leave where it stands. */
const NO_URL = /%(?![\da-f]{2})|[^\w.~!#$&*+,/:;=?@[\]%-]/giu;
const NO_PART = /[^\w.~-]/gu;

function percentEncoded(text: string, what: RegExp): string {
  return text.toWellFormed().replace(what, (character) => Buffer.from(character).toString("hex").replace(/../g, "%$&"));
}

/** As html/template writes it: UTF-7 has no way in by a plus. */
function escapedText(text: string): string {
  return goEscaped(text.replaceAll("\0", "\ufffd")).replaceAll("+", reference);
}

function reference(character: string): string {
  return `&#${character.charCodeAt(0)};`;
}

const WHERE: Readonly<Record<string, string>> = {
  comment: "in a comment",
  tag: "in a tag",
  name: "in the name of an element or an attribute",
  raw: "in a script or a style",
};

function isHarmlessUrl(text: string): boolean {
  const bare = text.replace(/[\s\p{Cc}]/gu, "");
  return HARMLESS_SCHEME.test(bare) || !/^[^/?#]*:/.test(bare);
}
