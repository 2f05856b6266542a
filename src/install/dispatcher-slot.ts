import type { Dispatcher } from '../transport/undici.ts'

type Dispatching = Pick<Dispatcher, 'dispatch'>

/** The symbols of undici's global dispatchers: up to version 7, as in Node 22 and 24, and from 8, as in Node 26. */
const SYMBOLS: readonly symbol[] = [Symbol.for('undici.globalDispatcher.1'), Symbol.for('undici.globalDispatcher.2')]

/** The slot of one global dispatcher, which remembers the dispatcher from before the install. */
export class DispatcherSlot {
  readonly #symbol: symbol
  readonly #property: PropertyDescriptor | undefined
  readonly #before: Dispatching | undefined
  #ours: Dispatching | undefined
  #retired = false

  /** @param earlier - the slot of an earlier install: its dispatcher is not the one to restore. */
  constructor(symbol: symbol, earlier?: DispatcherSlot) {
    const follows = earlier?.isInstalled === true
    this.#symbol = symbol
    this.#property = follows ? earlier.#property : Object.getOwnPropertyDescriptor(globalThis, symbol)
    this.#before = follows ? earlier.#before : current(symbol)
  }

  /** Whether the earlier dispatcher uses the proxy settings of the environment, as Node can be configured to. */
  get isProxied(): boolean {
    const before = this.#before as { readonly constructor?: { readonly name?: unknown } } | undefined
    return before?.constructor?.name === 'EnvHttpProxyAgent'
  }

  /** Whether our dispatcher is still installed and has not been replaced by other code. */
  get isInstalled(): boolean {
    return this.#ours !== undefined && current(this.#symbol) === this.#ours
  }

  /** Installs a dispatcher, whose requests go `over` another. */
  install(dispatcher: Dispatcher, over: Dispatching): void {
    // Other code may have built a dispatcher on this dispatcher and outlive it: after uninstall() it uses the earlier dispatcher.
    this.#ours = dispatcher.compose(() => (options, handler) =>
      (this.#retired ? this.#before ?? over : over).dispatch(options, handler))
    const { enumerable = false, configurable = true } = this.#property ?? {}
    Object.defineProperty(globalThis, this.#symbol, { value: this.#ours, writable: true, enumerable, configurable })
  }

  /** Sends no more requests through our dispatcher, wherever it is used. */
  retire(): void {
    this.#retired = true
  }

  /** Restores the earlier dispatcher, unless other code has set another one since. */
  restore(): void {
    this.retire()
    if (!this.isInstalled) return
    if (this.#property === undefined) Reflect.deleteProperty(globalThis, this.#symbol)
    else Object.defineProperty(globalThis, this.#symbol, this.#property)
  }
}

const current = (symbol: symbol): Dispatching | undefined => Reflect.get(globalThis, symbol) as Dispatching | undefined

/** Creates the slots, following those of an earlier install. */
export const slotsAfter = (earlier: readonly DispatcherSlot[] = []): DispatcherSlot[] =>
  SYMBOLS.map((symbol, index) => new DispatcherSlot(symbol, earlier[index]))
