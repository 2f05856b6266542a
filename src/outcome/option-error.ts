/** An option that makes no sense: names the option, the value given and what was expected. */
export class OptionError extends TypeError {
  /** Stable. */
  readonly code = 'ERR_OPTION'
  /** Where, e.g. `upstreams.payments.breaker.failureRate`. */
  readonly option: string
  /** What would have been right. */
  readonly expected: string
  /** What was there instead, described: nothing that may be secret is shown. */
  readonly given: string

  constructor(option: string, given: string, expected: string) {
    super(`${option}: expected ${expected}, got ${given}`)
    this.option = option
    this.expected = expected
    this.given = given
  }

  /** The name of the class. */
  override get name(): string {
    return 'OptionError'
  }

  /** What a structured log should hold. */
  toJSON(): Record<string, unknown> {
    const { name, code, message, option, expected } = this
    return { name, code, message, option, expected }
  }
}
