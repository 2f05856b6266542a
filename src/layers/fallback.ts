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
 * Lets a function answer in place of an upstream that can't, within what remains of the deadline. One that fails, or takes
 * too long, hides nothing: the caller gets the upstream's error, with the fallback's on it.
 */
export const fallback = (next: Perform): Perform => (upstream, request) => {
  const answer = request.options.fallback ?? upstream.policy.fallback
  const sent = next(upstream, request)
  if (answer === false) return sent
  const { method, target, streamed, headers = {}, options: { signal, deadline = upstream.policy.deadline } } = request
  const { env } = upstream
  const startedAt = env.clock.now()
  return sent.catch(async (error: unknown) => {
    if (!fallbackMayServe(error) || signal?.aborted === true) throw error
    const left = startedAt + deadline - env.clock.now()
    const asked = { upstream: upstream.name, method, target, headers, deadline: Math.max(1, Math.floor(left)), signal }
    const answered = await inTime(async () => answer(error, asked), left, signal, env)
      .then(given => given === undefined ? undefined : replyOf(given, streamed))
      .catch((failure: unknown) => {
        if (signal?.aborted === true) throw signal.reason
        error.fallbackFailed(failure, env.clock.now() - startedAt)
        return undefined
      })
    if (answered === undefined) throw error
    answered.fallback = { error }
    answered.attempts = error.attempts
    answered.total = env.clock.now() - startedAt
    if (channels.rescued.hasSubscribers) {
      channels.rescued.publish({ client: env.client ?? '', upstream: upstream.name, method, by: 'fallback', error: error.code })
    }
    return answered
  })
}

/** What was asked for, unless time runs out or the caller gives up before. */
const inTime = <T>(run: () => Promise<T>, ms: number, signal: AbortSignal | undefined, env: Env): Promise<T> =>
  new Promise((resolve, reject) => {
    const late = (): void => { reject(new Error('it took longer than what remained of the deadline')) }
    const disarm = armTimeoutAndAbort(env, ms, signal, late, reject)
    run().finally(disarm).then(resolve, reject)
  })

/** What a fallback gave, as a reply that is this caller's own. @throws OptionError */
function replyOf(given: Reply | FallbackReply, streamed: boolean): Reply {
  if (!(given instanceof Reply)) return composed(given, streamed)
  if (given.isStreamed === streamed) return streamed ? given : given.copy()
  if (!streamed) {
    const sentence = '`fallback()` must return a buffered reply, because the call asks for one: it returned a streamed reply'
    throw new OptionError('fallback()', 'a streamed reply', 'a buffered reply', sentence)
  }
  return withBody(given.status, copyOfHeaders(given.headers), given.bytes(), true)
}

function composed(given: FallbackReply, streamed: boolean): Reply {
  const { status = 200, json, body = '', headers: fields = {} } = checkFallbackReply(given)
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
