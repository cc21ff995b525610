import type { ErrorText } from "./types.js";

/** API Gateway answers within 29 seconds. */
const ATTEMPT_MS = 30_000;
const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 8_000;

/** A request that the API refused, or that got no answer although it was repeated. */
export class ShopError extends Error {
  override readonly name = "ShopError";

  constructor(
    /** The HTTP status, and 0 if there was no answer. */
    readonly status: number,
    /** The contract's text. Compare it exactly. */
    readonly error: ErrorText,
    /** The contract's details: messages for each field, or `warnings`. */
    readonly details?: Record<string, unknown>,
  ) {
    super(status ? `${status} ${error}` : error);
  }
}

export interface Answer {
  status: number;
  /** Null for 304, and if it is not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: the caller knows the type of the route that it calls
  body: any;
  headers: Headers;
  /** The number of attempts until this answer. */
  attempts: number;
}

/** A failed attempt: its answer if there was one, and the milliseconds until the next attempt. */
export interface Failure {
  answer: Answer | undefined;
  waitMs: number;
}

export interface Repetition {
  /** Seconds after the first attempt in which further attempts begin. */
  seconds: number;
  /** Called before each repetition; false prevents it. It must not throw. */
  mayRepeat(failure: Failure): boolean;
}

/** Whether the API may have carried out the request: there is no answer, or an error of a server in between. */
export function mayHaveArrived(answer: Answer | undefined): boolean {
  return !answer || (answer.status >= 500 && answer.body === null);
}

/** Whether a repetition can succeed: the request did not arrive, was refused for now, or its answer was lost. */
function isTemporary({ answer }: Failure): boolean {
  return mayHaveArrived(answer) || answer?.status === 429 || answer?.status === 503;
}

/**
 * Send a request, and repeat it while it fails and may be repeated. Between two attempts is the time of `Retry-After`, and
 * a random time that grows, so that the clients of a busy server do not come back together. Returns the last answer,
 * of any status. Throws `ShopError` if the last attempt got none.
 */
export async function send(
  fetchOnce: typeof fetch,
  url: string,
  request: RequestInit,
  repetition: Repetition,
): Promise<Answer> {
  const end = Date.now() + repetition.seconds * 1000;
  for (let attempts = 1; ; attempts += 1) {
    const answer = await attemptOnce(fetchOnce, url, request, attempts);
    const failure = { answer, waitMs: waitMs(attempts, answer) };
    if (isTemporary(failure) && Date.now() + failure.waitMs <= end && repetition.mayRepeat(failure)) {
      await wait(failure.waitMs, answer === undefined);
    } else if (answer) {
      return answer;
    } else {
      throw new ShopError(0, "no answer");
    }
  }
}

/** Throw `ShopError` unless the answer is a success. */
export function checkSuccess({ status, body }: Answer): void {
  if (status >= 400) throw new ShopError(status, body?.error ?? "no answer", body?.details);
}

/** Return the answer, or nothing if there is none, it is cut off, or it is a success without JSON: a Wi-Fi's sign-in page. */
async function attemptOnce(
  fetchOnce: typeof fetch,
  url: string,
  request: RequestInit,
  attempts: number,
): Promise<Answer | undefined> {
  try {
    const response = await fetchOnce(url, { ...request, signal: AbortSignal.timeout(ATTEMPT_MS) });
    const { status, headers, ok } = response;
    const body = parse(status === 304 ? "" : await response.text());
    return ok && body === null ? undefined : { status, body, headers, attempts };
  } catch {
    return undefined;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function waitMs(attempts: number, answer: Answer | undefined): number {
  const seconds = Number(answer?.headers.get("Retry-After") ?? 0) || 0;
  return seconds * 1000 + Math.random() * Math.min(FIRST_WAIT_MS * 2 ** (attempts - 1), LONGEST_WAIT_MS);
}

/** Wait. If the network was lost, wait only until the browser is online again. */
function wait(ms: number, isNetworkLost: boolean): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (isNetworkLost) globalThis.addEventListener?.("online", done);
  });
}
