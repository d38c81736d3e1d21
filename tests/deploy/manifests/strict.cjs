// SPDX-License-Identifier: GPL-3.0-or-later
// Manifests from standard input against the Kubernetes types of TypeScript: fields that do not exist and values of a wrong
// type are errors. Kinds that these types lack (of operators) are named and skipped.
const fs = require('fs');
const path = require('path');
const ts = require('typescript');
const yaml = require('js-yaml');

const types = path.dirname(require.resolve('kubernetes-types/package.json'));
const folder = process.cwd();
let source = '';
let checked = 0;
const skipped = [];
for (const manifest of yaml.loadAll(fs.readFileSync(0, 'utf8')).filter(Boolean)) {
  const group = manifest.apiVersion.includes('/') ? manifest.apiVersion : 'core/' + manifest.apiVersion;
  const module = group.replace(/^([a-z]+)(\.[a-z0-9.]*k8s\.io)?\//, '$1/');
  if (!fs.existsSync(path.join(types, module + '.d.ts'))) {
    skipped.push(manifest.kind);
    continue;
  }
  source += `import type {${manifest.kind} as T${checked}} from 'kubernetes-types/${module}';\n`;
  source += `export const m${checked}: T${checked} = ${JSON.stringify(manifest, null, 1)};\n`;
  checked++;
}
const file = path.join(folder, 'manifests.ts');
fs.writeFileSync(file, source);
const program = ts.createProgram([file], {
  noEmit: true, strict: true, skipLibCheck: true, moduleResolution: ts.ModuleResolutionKind.Node10,
});
const faults = ts.getPreEmitDiagnostics(program);
for (const fault of faults) console.log('fault: ' + ts.flattenDiagnosticMessageText(fault.messageText, ' ').slice(0, 300));
console.log(JSON.stringify({checked, skipped: skipped.sort(), faults: faults.length}));
process.exit(faults.length === 0 ? 0 : 1);
