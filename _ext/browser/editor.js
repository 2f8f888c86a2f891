// The editor of a live exercise: CodeMirror with what Python needs, bundled by esbuild.
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { pythonLanguage } from "@codemirror/lang-python";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, drawSelection, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

const marked = StateEffect.define();
const wrong = Decoration.line({ class: "live-wrong-line" });
const marks = StateField.define({
  create: () => Decoration.none,
  update(value, change) {
    if (change.docChanged) value = Decoration.none; // who types has moved on
    for (const effect of change.effects) {
      if (!effect.is(marked)) continue;
      const known = effect.value >= 1 && effect.value <= change.state.doc.lines;
      value = known ? Decoration.set(wrong.range(change.state.doc.line(effect.value).from)) : Decoration.none;
    }
    return value;
  },
  provide: (field) => EditorView.decorations.from(field),
});

// An editor in `parent`. `keys` are commands by their keys, `changed` is told of each new text.
export const edit = (parent, { text, label, keys, changed }) => {
  const commands = Object.entries(keys).map(([key, run]) => ({ key, run: () => (run(), true), preventDefault: true }));
  const view = new EditorView({
    parent,
    doc: text,
    extensions: [
      keymap.of(commands), // before the editor's own
      lineNumbers(),
      history(),
      drawSelection(),
      EditorView.lineWrapping, // nothing to scroll sideways, on a phone least of all
      indentOnInput(),
      bracketMatching(),
      indentUnit.of("    "),
      EditorState.tabSize.of(4),
      pythonLanguage,
      syntaxHighlighting(classHighlighter),
      marks,
      keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
      EditorView.contentAttributes.of(label),
      EditorView.updateListener.of((update) => update.docChanged && changed(update.state.doc.toString())),
    ],
  });
  return {
    text: () => view.state.doc.toString(),
    replace: (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }),
    mark: (line) => view.dispatch({ effects: marked.of(line) }),
    focus: () => view.focus(),
  };
};
