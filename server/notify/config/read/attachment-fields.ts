import type { Text } from "../../templates/template.ts";
import type { Mode } from "../../templates/writers.ts";
import type { AttachmentField } from "../config.ts";
import type { Known, Value } from "./value.ts";

const FIELD: Known = { of: "a field", names: ["title", "value", "short"] };

/** Fields of an attachment, as Slack and the chats after its model have them. `areShort`: those that do not say it. */
export function readAttachmentFields(
  value: Value | undefined,
  { mode, areShort }: { readonly mode: Mode; readonly areShort: boolean },
): AttachmentField<Text>[] {
  return (value?.items() ?? []).flatMap((item) => {
    const fields = item.fields(FIELD);
    const title = fields?.required("title")?.templatedLine(mode);
    const text = fields?.required("value")?.templatedLine(mode);
    if (title === undefined || text === undefined) return [];
    return [{ title, value: text, short: fields?.get("short")?.flag() ?? areShort }];
  });
}
