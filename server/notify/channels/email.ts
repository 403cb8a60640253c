/** E-mail by SMTP. */
import { isIP } from "node:net";
import { TelltaleError } from "../../errors.ts";
import type { Channel, Sent } from "../channel.ts";
import type { EmailConfig } from "../config/config.ts";
import type { Message } from "../message.ts";
import type { Picture } from "../pictures/picture.ts";
import { type Attempt, attempt } from "./attempt.ts";
import {
  MAIL_CONNECT_TIMEOUT_MS,
  MAIL_SILENCE_TIMEOUT_MS,
  MAIL_TIMEOUT_MS,
  MAX_ALERTS_IN_MAIL,
  MAX_PICTURES_IN_MAIL,
  MAX_TEXT_CHARACTERS,
} from "./limits.ts";
import { conversation } from "./mail/conversation.ts";
import { type OwnHeaders, ownHeaders } from "./mail/headers.ts";
import { mailHtml } from "./mail/html.ts";
import { refusal, rejections } from "./mail/outcome.ts";
import { cidOf } from "./mail/picture.ts";
import { mailText } from "./mail/text.ts";
import type { ChannelOptions } from "./options.ts";
import type { Secrets } from "./secrets.ts";
import { tlsOptions } from "./tls.ts";
import { messageView } from "./view.ts";

export class Email implements Channel {
  readonly kind = "email";
  readonly #config: EmailConfig;
  readonly #options: ChannelOptions;
  readonly #own: OwnHeaders;

  /** @throws TelltaleError "invalid" where a header may not be set, or a password is missing */
  constructor(config: EmailConfig, options: ChannelOptions) {
    if ((config.authUsername === undefined) !== (config.authPassword === undefined)) {
      throw new TelltaleError("invalid", "E-mail needs both auth_username and auth_password, or neither.");
    }
    this.#config = config;
    this.#options = options;
    this.#own = ownHeaders(config.headers);
  }

  send(message: Message, signal: AbortSignal): Promise<Sent> {
    const { environment } = this.#options;
    return attempt({ signal, timeoutMs: MAIL_TIMEOUT_MS, environment, message }, (current) =>
      this.#send(message, current),
    );
  }

  /** Nothing stays open between messages. */
  async close(): Promise<void> {}

  async #send(message: Message, { signal, secrets }: Attempt): Promise<Sent> {
    const auth = await this.#auth(secrets);
    const tls = await this.#tls(secrets);
    const mail = this.#mail(message, await this.#pictures(message));
    // Loaded where the first e-mail is sent: an installation without e-mail starts without it.
    const { createTransport } = await import("nodemailer");
    const { smarthost, hello, implicitTls } = this.#config;
    // Each e-mail has a connection of its own: they are rare, and servers end connections that are idle.
    const connection = await this.#options.addresses.connect(smarthost, MAIL_CONNECT_TIMEOUT_MS, signal);
    try {
      const transport = createTransport({
        host: smarthost.host,
        port: smarthost.port,
        name: hello,
        connection,
        secure: implicitTls,
        requireTLS: this.#needsTls,
        tls,
        ...(auth === undefined ? {} : { auth }),
        greetingTimeout: MAIL_CONNECT_TIMEOUT_MS,
        socketTimeout: MAIL_SILENCE_TIMEOUT_MS,
      });
      const sent = await transport.sendMail({ ...mail, signal });
      return rejections(sent, secrets.known);
    } catch (error) {
      if (signal.aborted) throw error;
      return refusal(error, { needsTls: this.#needsTls, secrets: secrets.known });
    } finally {
      connection.destroy();
    }
  }

  /** A password is never sent in the clear. */
  get #needsTls(): boolean {
    const { requireTls, implicitTls, authUsername } = this.#config;
    return !implicitTls && (requireTls || authUsername !== undefined);
  }

  async #auth(secrets: Secrets): Promise<{ user: string; pass: string } | undefined> {
    const { authUsername, authPassword } = this.#config;
    if (authUsername === undefined || authPassword === undefined) return undefined;
    const pass = await secrets.read(authPassword, "the password of the mail server");
    // As AUTH PLAIN sends it.
    secrets.hide(Buffer.from(`\0${authUsername}\0${pass}`).toString("base64"));
    return { user: authUsername, pass };
  }

  async #tls(secrets: Secrets) {
    const { smarthost, tls } = this.#config;
    return {
      ...(isIP(smarthost.host) === 0 ? { servername: smarthost.host } : {}),
      ...(await tlsOptions(tls, secrets, "the mail server")),
    };
  }

  /** Of the first alerts, in their order. */
  #pictures({ alerts, isPlain = false }: Message): Promise<(Picture | undefined)[]> {
    const { pictureOf } = this.#options;
    // HTML of the configuration shows none.
    if (!this.#config.picture || isPlain || this.#config.html !== undefined || pictureOf === undefined)
      return Promise.resolve([]);
    return Promise.all(alerts.slice(0, MAX_PICTURES_IN_MAIL).map((alert) => pictureOf(alert)));
  }

  #mail(message: Message, pictures: readonly (Picture | undefined)[]) {
    const { from, to, text, html } = this.#config;
    const view = messageView(message, { maxAlerts: MAX_ALERTS_IN_MAIL, maxText: MAX_TEXT_CHARACTERS });
    return {
      from: this.#own.from ?? from,
      to: this.#own.to ?? to,
      // Whoever else the headers name.
      envelope: { from, to },
      subject: this.#own.subject ?? view.subject,
      ...(text !== "" && { text: text ?? mailText(view, pictures) }),
      ...(html !== "" && { html: html ?? mailHtml(view, pictures) }),
      // Inline: they belong to the HTML part (multipart/related) and are no files to save.
      attachments: pictures.flatMap((picture, at) =>
        picture === undefined
          ? []
          : [
              {
                cid: cidOf(at),
                filename: `alert-${at + 1}.png`,
                content: Buffer.from(picture.png),
                contentDisposition: "inline" as const,
              },
            ],
      ),
      ...conversation(message.key, message.groupKey, from),
      headers: { ...this.#own.headers, "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All" },
    };
  }
}
