/** How many of the last healthy targets to remember. */
const REMEMBERED = 8

const pathOf = (target: string): string => target.split('?', 1)[0] ?? target

/**
 * Which routes of an endpoint are healthy, as far as its last healthy calls show. It answers one question: whether a failing path
 * may be the failure of one route alone. To note a healthy call costs one store.
 */
export class Routes {
  readonly #healthy: (string | undefined)[] = []
  #next = 0

  /** Notes a call that succeeded, by its path and query. */
  healthy(target: string): void {
    this.#healthy[this.#next++ % REMEMBERED] = target
  }

  /** Whether one of the last healthy calls was of another path. */
  isOtherHealthy(target: string): boolean {
    const path = pathOf(target)
    return this.#healthy.some(other => other !== undefined && pathOf(other) !== path)
  }
}
