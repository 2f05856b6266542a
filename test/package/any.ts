import ts from 'typescript'

/** Every place in declaration files of a package where a type is `any`, or comes to it, as `file:line: text`. */
export const anysIn = (program: ts.Program, isOurs: (file: string) => boolean): string[] => {
  const checker = program.getTypeChecker()
  const found: string[] = []
  const complain = (node: ts.Node): void => {
    const source = node.getSourceFile()
    const { line } = source.getLineAndCharacterOfPosition(node.getStart())
    found.push(`${source.fileName}:${line + 1}: ${node.getText()}`)
  }
  const visit = (node: ts.Node): void => {
    // What cannot be resolved is `any` in a program that does not look at declaration files for errors.
    if (ts.isTypeNode(node) && isAny(checker.getTypeFromTypeNode(node))) {
      complain(node)
      return
    }
    if (isUntyped(node)) complain(node)
    ts.forEachChild(node, visit)
  }
  program.getSourceFiles().filter(({ fileName }) => isOurs(fileName)).forEach(visit)
  return found
}

const isAny = (type: ts.Type): boolean => (type.flags & ts.TypeFlags.Any) !== 0

/** A declaration that says no type; a private one has none to say, and a setter's is its parameter's. */
const isUntyped = (node: ts.Node): boolean => {
  if (ts.isPropertyDeclaration(node) || ts.isPropertySignature(node)) {
    return node.type === undefined && !ts.isPrivateIdentifier(node.name) && !isLiteral(node)
  }
  if (ts.isVariableDeclaration(node)) return node.type === undefined && !isLiteral(node)
  return (ts.isParameter(node) || (ts.isFunctionLike(node) && !ts.isConstructorDeclaration(node) && !ts.isSetAccessor(node)))
    && node.type === undefined
}

/** `readonly name = 'x'`: its type is that of the value. */
const isLiteral = (node: ts.PropertyDeclaration | ts.PropertySignature | ts.VariableDeclaration): boolean =>
  (node as { initializer?: ts.Expression }).initializer !== undefined
