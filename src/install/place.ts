import type { Dispatcher } from '../transport/undici.ts'

type Dispatching = Pick<Dispatcher, 'dispatch'>

/** Where undici looks for its global dispatcher: up to version 7, as in Node 22 and 24, and from 8, as in Node 26. */
const SYMBOLS: readonly symbol[] = [Symbol.for('undici.globalDispatcher.1'), Symbol.for('undici.globalDispatcher.2')]

/** One place of a global dispatcher: who stood there before us, and ours. */
export class Place {
  readonly #symbol: symbol
  readonly #property: PropertyDescriptor | undefined
  readonly #before: Dispatching | undefined
  #ours: Dispatching | undefined
  #retired = false

  /** What an earlier one of ours has put there is not what was there before us. */
  constructor(symbol: symbol, earlier?: Place) {
    const follows = earlier?.isTaken === true
    this.#symbol = symbol
    this.#property = follows ? earlier.#property : Object.getOwnPropertyDescriptor(globalThis, symbol)
    this.#before = follows ? earlier.#before : here(symbol)
  }

  /** Whether what was there takes the proxy settings of the environment, as Node has been told to do. */
  get isProxied(): boolean {
    const before = this.#before as { readonly constructor?: { readonly name?: unknown } } | undefined
    return before?.constructor?.name === 'EnvHttpProxyAgent'
  }

  /** Whether ours still stands there: nobody has put another in its place. */
  get isTaken(): boolean {
    return this.#ours !== undefined && here(this.#symbol) === this.#ours
  }

  /** Puts a dispatcher there, whose requests go `over` another. */
  take(dispatcher: Dispatcher, over: Dispatching): void {
    // Somebody may build on it what lasts longer than it stands there: they then have what there would be without us.
    this.#ours = dispatcher.compose(() => (asked, handler) =>
      (this.#retired ? this.#before ?? over : over).dispatch(asked, handler))
    const { enumerable = false, configurable = true } = this.#property ?? {}
    Object.defineProperty(globalThis, this.#symbol, { value: this.#ours, writable: true, enumerable, configurable })
  }

  /** Sends no more through ours, wherever it stands. */
  retire(): void {
    this.#retired = true
  }

  /** Puts back what was there, exactly, unless somebody has put another there since. */
  leave(): void {
    this.retire()
    if (!this.isTaken) return
    if (this.#property === undefined) Reflect.deleteProperty(globalThis, this.#symbol)
    else Object.defineProperty(globalThis, this.#symbol, this.#property)
  }
}

const here = (symbol: symbol): Dispatching | undefined => Reflect.get(globalThis, symbol) as Dispatching | undefined

/** The places, after those of an earlier install. */
export const placesAfter = (earlier: readonly Place[] = []): Place[] =>
  SYMBOLS.map((symbol, index) => new Place(symbol, earlier[index]))
