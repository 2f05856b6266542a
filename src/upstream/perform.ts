import type { Request } from '../call/request.ts'
import type { Reply } from '../outcome/reply.ts'
import type { Upstream } from './upstream.ts'

/** Performs what a caller asked for at an upstream, and settles with the reply the caller gets. */
export type Perform = (upstream: Upstream, request: Request) => Promise<Reply>
