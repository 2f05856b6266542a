import { Readable } from 'node:stream'
import type { Env } from '../clock.ts'
import { OptionError } from '../outcome/errors.ts'
import { channels } from '../events.ts'
import type { FallbackReply } from '../options/fallback-options.ts'
import { checkFallbackReply } from '../options/schema.ts'
import type { Perform } from '../upstream/perform.ts'
import { fallbackMayServe } from '../outcome/stand-in.ts'
import { copyOfHeaders, Reply, type ReplyHeaders } from '../outcome/reply.ts'
import { stringify } from '../call/request.ts'
import { lowerCased } from '../http/headers.ts'
import { armTimeoutAndAbort } from '../call/wait.ts'

/**
 * Replaces an error with the reply of a fallback function, within the rest of the deadline. If the fallback fails or takes too
 * long, the caller gets the upstream's error, with the fallback's error attached.
 */
export const fallback = (next: Perform): Perform => (upstream, request) => {
  const run = request.options.fallback ?? upstream.policy.fallback
  const sent = next(upstream, request)
  if (run === false) return sent
  const { method, target, streamed, headers = {}, options: { signal, deadline = upstream.policy.deadline } } = request
  const { env } = upstream
  const startedAt = env.clock.now()
  return sent.catch(async (error: unknown) => {
    if (!fallbackMayServe(error) || signal?.aborted === true) throw error
    const left = startedAt + deadline - env.clock.now()
    const fallbackRequest = { upstream: upstream.name, method, target, headers, deadline: Math.max(1, Math.floor(left)), signal }
    const reply = await inTime(async () => run(error, fallbackRequest), left, signal, env)
      .then(result => result === undefined ? undefined : replyOf(result, streamed))
      .catch((failure: unknown) => {
        if (signal?.aborted === true) throw signal.reason
        error.fallbackFailed(failure, env.clock.now() - startedAt)
        return undefined
      })
    if (reply === undefined) throw error
    reply.fallback = { error }
    reply.attempts = error.attempts
    reply.total = env.clock.now() - startedAt
    if (channels.rescued.hasSubscribers) {
      channels.rescued.publish({ client: env.client ?? '', upstream: upstream.name, method, by: 'fallback', error: error.code })
    }
    return reply
  })
}

/** Runs a function with a timeout and an abort signal. */
const inTime = <T>(run: () => Promise<T>, ms: number, signal: AbortSignal | undefined, env: Env): Promise<T> =>
  new Promise((resolve, reject) => {
    const disarm = armTimeoutAndAbort(env.clock, ms, signal, (timedOut, reason) => {
      reject(timedOut ? new Error('The fallback took longer than the rest of the deadline') : reason)
    })
    run().finally(disarm).then(resolve, reject)
  })

/** The result of a fallback as a reply that belongs to this caller alone. @throws OptionError */
function replyOf(result: Reply | FallbackReply, streamed: boolean): Reply {
  if (!(result instanceof Reply)) return composed(result, streamed)
  if (result.isStreamed === streamed) return streamed ? result : result.copy()
  if (!streamed) {
    const sentence = '`fallback()` must return a buffered reply, because the call asks for one: it returned a streamed reply'
    throw new OptionError('fallback()', 'a streamed reply', 'a buffered reply', sentence)
  }
  return withBody(result.status, copyOfHeaders(result.headers), result.bytes(), true)
}

function composed(result: FallbackReply, streamed: boolean): Reply {
  const { status = 200, json, body = '', headers: fields = {} } = checkFallbackReply(result)
  const headers = lowerCased(fields) as ReplyHeaders
  if (json === undefined) return withBody(status, headers, Buffer.from(body), streamed)
  return withBody(status, { 'content-type': 'application/json', ...headers }, Buffer.from(stringify(json)), streamed)
}

function withBody(status: number, headers: ReplyHeaders, bytes: Buffer, streamed: boolean): Reply {
  if (!streamed) return new Reply(status, headers, bytes)
  const stream = Readable.from(bytes.length === 0 ? [] : [bytes])
  const reply = new Reply(status, headers, stream)
  stream.once('close', () => { reply.end() })
  return reply
}
