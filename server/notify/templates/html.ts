/**
 * Keeps track of where in an HTML text a value stands, so that nothing in it becomes markup. Not html/template: scripts, handlers and the like
 * take no values at all.
 */
import { goEscaped } from "./functions.ts";
import { Failure, printed, Safe, type Value } from "./values.ts";

type Place =
  | { readonly kind: "text" | "comment" | "tag" }
  /** Of what no value may be a part: names of elements and attributes. */
  | { readonly kind: "name"; readonly text: string }
  /** `title` and `textarea`: text only. `script` and `style`: nobody's values. */
  | { readonly kind: "raw"; readonly element: string }
  | { readonly kind: "attribute"; readonly name: string; readonly quote: string; readonly value: string };

const TEXT: Place = { kind: "text" };
const RAW = new Set(["script", "style", "title", "textarea", "iframe", "noscript", "xmp", "noembed", "noframes"]);
const URLS = new Set([
  "href",
  "src",
  "action",
  "formaction",
  "cite",
  "poster",
  "background",
  "data",
  "longdesc",
  "usemap",
  "ping",
  "xlink:href",
]);
const HARMLESS_SCHEME = /^(?:https?|mailto|tel|cid):/i;
/** In so many a scheme has shown itself. */
const SCHEME_CHARACTERS = 100;
const STYLE_VALUE = /^[\w #.,%+-]*$/;

export class HtmlWriter {
  #place: Place = TEXT;
  /** Of the tag that is open. */
  #element = "";
  #attribute = "";

  /** What the template itself says. */
  markup(text: string): string {
    this.#follow(text);
    return text;
  }

  /** A value, as it may stand here. @throws Failure where none may */
  value(value: Value): string {
    const made = this.#escaped(value);
    this.#follow(made);
    return made;
  }

  #escaped(value: Value): string {
    const place = this.#place;
    // What is no value at all is nothing here.
    const text = value === undefined ? "" : printed(value);
    const isSafe = value instanceof Safe;
    if (place.kind === "text") return isSafe && value.what === "html" ? text : escapedText(text);
    if (place.kind === "raw" && (place.element === "title" || place.element === "textarea")) return escapedText(text);
    if (place.kind !== "attribute")
      throw new Failure(`stands ${WHERE[place.kind]}, where no value may be: put it into text.`);
    if (/^on|^srcdoc$|^srcset$/.test(place.name))
      throw new Failure(`stands in the attribute ${place.name}, where no value may be.`);
    if (place.name === "style" && !STYLE_VALUE.test(text)) return "ZgotmplZ";
    const escaped = /["']/.test(place.quote) ? escapedText(text) : escapedText(text).replace(/[\s=`]/g, reference);
    if (!URLS.has(place.name) || (isSafe && value.what === "url")) return escaped;
    return isHarmlessUrl(place.value + text) ? escaped : "#ZgotmplZ";
  }

  #follow(text: string): void {
    for (let at = 0; at < text.length; ) at = this.#step(text, at);
  }

  /** One character, or as many as change nothing. */
  #step(text: string, at: number): number {
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
        const end = text.toLowerCase().indexOf(`</${place.element}`, at);
        if (end >= 0) this.#place = TEXT;
        return end < 0 ? text.length : end;
      }
      case "name":
        return this.#name(place.text, character, at);
      case "tag":
        if (character === ">") this.#endTag();
        else if (!/[\s/]/.test(character)) {
          this.#place = { kind: "name", text: "" };
          return at;
        }
        return at + 1;
      case "attribute":
        return this.#inAttribute(place, character, at);
    }
  }

  #name(text: string, character: string, at: number): number {
    const isElement = this.#element === "<";
    if (!/[\s/>=]/.test(character) || (isElement && character === "/" && text === "")) {
      this.#place = { kind: "name", text: text + character };
      return at + 1;
    }
    if (isElement) this.#element = text.toLowerCase();
    else this.#attribute = text.toLowerCase();
    if (character === "=" && !isElement) {
      this.#place = { kind: "attribute", name: this.#attribute, quote: "?", value: "" };
      return at + 1;
    }
    this.#place = { kind: "tag" };
    return at;
  }

  #inAttribute(place: Place & { kind: "attribute" }, character: string, at: number): number {
    const { quote, value } = place;
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
    if (value.length < SCHEME_CHARACTERS) this.#place = { ...place, value: value + character };
    return at + 1;
  }

  #endTag(): void {
    this.#place = RAW.has(this.#element) ? { kind: "raw", element: this.#element } : TEXT;
    this.#attribute = "";
  }
}

/** As html/template writes it: UTF-7 has no way in by a plus. */
function escapedText(text: string): string {
  return goEscaped(text).replaceAll("+", reference);
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
