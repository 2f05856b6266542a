/**
 * The service side: {@link createHealth} answers liveness and readiness checks, {@link gracefulShutdown} ends a service without
 * losing a request.
 *
 * @module breakwater/server
 */
export { createHealth, type Health, type HealthRequest, type HealthResponse } from './health.ts'
export { gracefulShutdown, type Shutdown } from './shutdown.ts'

export type { HttpServer } from './connections.ts'
export type { HealthOptions, ShutdownOptions } from './options.ts'
export type { HealthReport, HealthStatus, LimitHealth, UpstreamHealth } from './report.ts'
export type { Closable } from './run.ts'
export type { ShutdownEvent, ShutdownReport, ShutdownStep } from './steps.ts'
