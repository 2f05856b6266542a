import type { Request } from '../call/request.ts'
import type { Reply } from '../outcome/reply.ts'
import type { Upstream } from './upstream.ts'

/** Performs a caller's request at an upstream, and settles with the reply for the caller. */
export type Perform = (upstream: Upstream, request: Request) => Promise<Reply>
