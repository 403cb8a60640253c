import { escapeHtml } from "../../../lib/html.ts";
import { COLOURS, HEIGHT, WIDTH } from "../../pictures/draw.ts";
import type { Picture } from "../../pictures/picture.ts";

/** Points: half of the picture's pixels. */
const SHOWN_WIDTH = WIDTH / 2;
const SMALL = "font-size:13px";

/** By which the HTML finds the picture of the alert at this place among the parts of its e-mail. */
export function cidOf(at: number): string {
  return `alert-${at}@telltale`;
}

/** The picture with the ends of its axes and what its colours mean; nothing where there is none. */
export function pictureHtml(picture: Picture | undefined, at: number): readonly string[] {
  if (picture === undefined) return [];
  const { summary, top, bottom, from, to, hasBand } = picture;
  const size = `width="${SHOWN_WIDTH}" height="${HEIGHT / 2}" style="display:block;width:100%;max-width:${SHOWN_WIDTH}px;height:auto"`;
  const ends = (left: string, right: string) =>
    `<table role="presentation" style="width:100%;max-width:${SHOWN_WIDTH}px;border-collapse:collapse;${SMALL}"><tr>` +
    `<td style="padding:2px 0">${left}</td><td style="padding:2px 0;text-align:right">${right}</td></tr></table>`;
  const keys = [
    ...[key(COLOURS.line, "values")],
    ...(hasBand ? [key(COLOURS.band, "expected")] : []),
    ...[key(COLOURS.alert, "alert")],
  ];
  return [
    '<div style="margin:10px 0">',
    ends(escapeHtml(top), keys.join(" &nbsp;")),
    `<img src="cid:${cidOf(at)}" alt="${escapeHtml(summary)}" ${size}>`,
    ends(escapeHtml(bottom), ""),
    ends(escapeHtml(from), escapeHtml(to)),
    "</div>",
  ];
}

function key(colour: string, word: string): string {
  return `<span style="color:${colour}">&#9632;</span>&nbsp;${word}`;
}
