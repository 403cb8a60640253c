/** A mail server on the loopback: it speaks SMTP, keeps what it is sent, parsed, and answers as it is told. */
import { EventEmitter, once } from "node:events";
import type { AddressInfo } from "node:net";
import { type ParsedMail, simpleParser } from "mailparser";
import { SMTPServer, type SMTPServerDataStream, type SMTPServerOptions, type SMTPServerSession } from "smtp-server";

export interface Mailed {
  readonly from: string;
  readonly to: readonly string[];
  readonly user: string | undefined;
  readonly isEncrypted: boolean;
  /** As it came. */
  readonly raw: string;
  readonly mail: ParsedMail;
}

/** Where in the conversation it says what; absent: it takes everything. */
export interface MailAnswers {
  /** To each address, to be refused by an error with `responseCode`. */
  readonly recipient?: (address: string) => Error | undefined;
  /** To the e-mail itself. */
  readonly data?: (raw: string) => Error | undefined | Promise<Error | undefined>;
}

export interface MailSink {
  readonly port: number;
  readonly mailed: readonly Mailed[];
  /** Passwords that it was given, right or wrong. */
  readonly passwords: readonly string[];
  answers: MailAnswers;
  /** The e-mail that it takes next. */
  next(): Promise<Mailed>;
  /** Those that are open. */
  readonly connections: number;
  close(): Promise<void>;
}

/** An answer that is no consent. */
export function mailError(responseCode: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode });
}

/** @param options of `smtp-server`; `users`: passwords by name, without which nobody has to say who they are */
export async function startMailSink(
  options: SMTPServerOptions & { readonly users?: Readonly<Record<string, string>> } = {},
): Promise<MailSink> {
  const { users, ...own } = options;
  const mailed: Mailed[] = [];
  const passwords: string[] = [];
  const sink = { answers: {} as MailAnswers };
  const taken = new EventEmitter<{ mail: [Mailed] }>();
  const server = new SMTPServer({
    authOptional: users === undefined,
    disabledCommands: [...(users === undefined ? ["AUTH"] : []), ...(own.cert === undefined ? ["STARTTLS"] : [])],
    logger: false,
    disableReverseLookup: true,
    ...own,
    onAuth: ({ username = "", password }, _session, done) => {
      passwords.push(String(password));
      if (users?.[username] === password) done(null, { user: username });
      else done(mailError(535, `5.7.8 not with ${password}`));
    },
    onRcptTo: ({ address }, _session, done) => done(sink.answers.recipient?.(address)),
    // A sender that goes away in the middle ends the stream with an error.
    onData: (stream, session, done) => void take(stream, session).then(done, done),
  });
  const take = async (stream: SMTPServerDataStream, session: SMTPServerSession): Promise<Error | undefined> => {
    const raw = Buffer.concat(await stream.toArray()).toString();
    const refusal = await sink.answers.data?.(raw);
    if (refusal !== undefined) return refusal;
    mailed.push(await mailedOf(session, raw));
    taken.emit("mail", mailed.at(-1)!);
    return undefined;
  };
  // Senders that hang up, and do not trust it, are what tests are about.
  server.on("error", () => {});
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  return {
    port: (server.server.address() as AddressInfo).port,
    mailed,
    passwords,
    get answers() {
      return sink.answers;
    },
    set answers(answers) {
      sink.answers = answers;
    },
    next: async () => (await once(taken, "mail"))[0],
    get connections() {
      return server.connections.size;
    },
    close: () => {
      for (const { _socket } of server.connections) _socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function mailedOf({ envelope, user, secure }: SMTPServerSession, raw: string): Promise<Mailed> {
  return {
    from: envelope.mailFrom === false ? "" : envelope.mailFrom.address,
    to: envelope.rcptTo.map(({ address }) => address),
    user: user as string | undefined,
    isEncrypted: secure,
    raw,
    mail: await simpleParser(raw),
  };
}
