import { createHash } from "node:crypto";
import { isIP } from "node:net";

/** Headers by which mail programs know an e-mail again, and find the conversation it belongs to. */
export interface ConversationHeaders {
  /** The same for every repetition: mail programs show what came twice once. */
  readonly messageId: string;
  readonly references: string;
  readonly inReplyTo: string;
}

/**
 * Every e-mail of a group answers the same one, which was never sent: whichever is the first to arrive, they form one conversation.
 *
 * @param from the sender's address
 */
export function conversation(key: string, groupKey: string, from: string): ConversationHeaders {
  const domain = domainOf(from);
  const root = `<group.${digest(groupKey)}@${domain}>`;
  return { messageId: `<${digest(key)}@${domain}>`, references: root, inReplyTo: root };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 40);
}

/** Some servers doubt an e-mail whose Message-ID is of another domain than its sender. */
function domainOf(from: string): string {
  const domain = /@([a-z0-9.-]+)>?\s*$/i.exec(from)?.[1];
  return domain === undefined || isIP(domain) !== 0 ? "telltale.invalid" : domain.toLowerCase();
}
