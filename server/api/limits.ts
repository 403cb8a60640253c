/** Limits of the gRPC listener. Each protects callers from one that is broken or hostile. */
export interface RpcLimits {
  /** Of one message, also after decompression. */
  readonly maxMessageBytes: number;
  /** Of the body of an ingest protocol over plain HTTP, also after decompression. */
  readonly maxProtocolBytes: number;
  /** Requests at once whose body is stored while it is read, such as bulk uploads; of one caller a quarter of them. */
  readonly maxStreamedBodies: number;
  /** Of such a body, bytes in each `requestTimeoutMs` of waiting for it: a caller that sends less is cut off. */
  readonly minStreamedBytes: number;
  /** Calls at once on one connection. */
  readonly maxConcurrentStreams: number;
  /** Of those, streams. What comes beyond is refused with a reason: calls that wait for streams to end would wait forever. */
  readonly maxStreamingCalls: number;
  /** Connections at once. */
  readonly maxConnections: number;
  /** Of one request's headers in all. */
  readonly maxHeaderBytes: number;
  /** Calls of one connection that may be cancelled at once, and from then on in a second; past it the connection ends. */
  readonly streamResetBurst: number;
  readonly streamResetsPerSecond: number;
  /** After a connection that ended for that: so long new ones of its address wait before they are read. */
  readonly floodPauseMs: number;
  /** For the first bytes of a connection, TLS handshake included, and for the headers of an HTTP/1.1 request. */
  readonly prefaceTimeoutMs: number;
  /** For the whole body of a call that has one request; of a body that is stored while it is read, for its next bytes. */
  readonly requestTimeoutMs: number;
  /** For the answer of an ingest protocol over plain HTTP, whose callers give no deadline; of a streamed body, for each batch. */
  readonly answerTimeoutMs: number;
  /** A connection without calls is closed after this. */
  readonly idleTimeoutMs: number;
  /** How often an HTTP/2 peer is asked for a sign of life; unanswered until the next time, it is taken for dead. */
  readonly pingIntervalMs: number;
  /** Unread bytes that one call may have under way. */
  readonly streamWindowBytes: number;
  /** Unread bytes that one connection may have under way. */
  readonly connectionWindowBytes: number;
  /** Unsent bytes and headers that nghttp2 may hold for one connection, in MB. */
  readonly maxSessionMemoryMB: number;
}

export const defaultLimits: RpcLimits = {
  // 10,000 readings of 45 bytes nine times over; the contract promises it.
  maxMessageBytes: 4 * 1024 * 1024,
  // As collectors of OpenTelemetry allow by default.
  maxProtocolBytes: 20 * 1024 * 1024,
  // Each may have 40,000 readings under way, some 5 MB.
  maxStreamedBodies: 32,
  // The slowest modem sends that in a second.
  minStreamedBytes: 1024,
  // A collector multiplexes a stream and some queries; grpc-go's own default for a busy proxy is 100.
  maxConcurrentStreams: 256,
  // The gateway puts 200 on a connection; 32 calls are left to whatever is answered at once.
  maxStreamingCalls: 224,
  // A file descriptor and about 60 kB each.
  maxConnections: 10_000,
  // A bearer token is 1 to 2 kB, a trace context 100 bytes.
  maxHeaderBytes: 16 * 1024,
  // A page that is closed cancels all that it had open; Node's own bound of 1,000 is a third of a second of our work.
  streamResetBurst: 300,
  streamResetsPerSecond: 33,
  // Of each connection that a peer has at a time, one burst a second is left of a flood; a peer that made a mistake hardly notices.
  floodPauseMs: 1_000,
  prefaceTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  // As long as a unary call without a deadline waits for its readings to settle.
  answerTimeoutMs: 30_000,
  idleTimeoutMs: 300_000,
  // Most NATs forget a silent connection after minutes, and a dead device should free its stream sooner.
  pingIntervalMs: 30_000,
  // A device 100 ms away can still send 10 MB/s.
  streamWindowBytes: 1024 * 1024,
  connectionWindowBytes: 4 * 1024 * 1024,
  maxSessionMemoryMB: 32,
};
