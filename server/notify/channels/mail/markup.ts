import { escapeHtml } from "../../../lib/html.ts";

export function anchor(url: string, text: string, style = ""): string {
  return `<a href="${escapeHtml(url)}"${style === "" ? "" : ` style="${style}"`}>${escapeHtml(text)}</a>`;
}
