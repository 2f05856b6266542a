import type { Duplex } from 'node:stream'
import type { Dispatcher } from '../../transport/undici.ts'
import type { ActiveRequest } from '../../transport/relay.ts'

type Handler = Dispatcher.DispatchHandler
type Controller = Dispatcher.DispatchController
type ResponseHeaders = Parameters<NonNullable<Handler['onResponseStart']>>[2]

/** Passes everything on to the caller's handler and watches for the end; used when all protections are switched off. */
export class PassthroughHandler implements Handler, ActiveRequest {
  readonly #handler: Handler
  readonly #onOver: () => void
  #controller: Controller | undefined
  #isOver = false
  #destroyed: Error | undefined

  /** @param onOver - runs when the request is over, before the caller's handler. */
  constructor(handler: Handler, onOver: (request: PassthroughHandler) => void) {
    this.#handler = handler
    this.#onOver = () => { onOver(this) }
  }

  destroy(error: Error): void {
    this.#destroyed = error
    if (this.#controller !== undefined) this.#controller.abort(error)
    else this.onResponseError(null, error)
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#controller = controller
    if (this.#destroyed === undefined) this.#handler.onRequestStart?.(controller, context)
    else controller.abort(this.#destroyed)
  }

  onRequestUpgrade(controller: Controller, status: number, headers: ResponseHeaders, socket: Duplex): unknown {
    const result: unknown = this.#handler.onRequestUpgrade?.(controller, status, headers, socket)
    this.#end()
    return result
  }

  onResponseStart(controller: Controller, status: number, headers: ResponseHeaders, text?: string): void {
    this.#handler.onResponseStart?.(controller, status, headers, text)
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#handler.onResponseData?.(controller, chunk)
  }

  onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    this.#end()
    this.#handler.onResponseEnd?.(controller, trailers)
  }

  onResponseError(controller: Controller | null, error: Error): void {
    // The handler already has the error of destroy(); an error that it throws at the end arrives here as well.
    if (this.#isOver && this.#destroyed !== undefined) return
    this.#end()
    this.#handler.onResponseError?.(controller as Controller, error)
  }

  onBodySent(chunk: Buffer): void {
    this.#handler.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.#handler.onRequestSent?.()
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.()
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#onOver()
  }
}
