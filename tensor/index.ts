// The door of the tensor library: models as expressions, their gradients and training steps, written out as ONNX.
export { toOnnx } from './onnx/emit.ts';
export { describeOnnx, type Graft, graftOnnx, type ReadyModel, type ReadyValue } from './onnx/graft.ts';
export type { OnnxGraph, OnnxInitializer, OnnxNode } from './onnx/messages.ts';
export type { Bytes } from './onnx/protobuf.ts';
export { accumulate } from './accumulate.ts';
export { after, checkpoint, recalled, repeat } from './control.ts';
export * from './fused.ts';
export { gradients } from './gradients.ts';
export * from './operators.ts';
export * from './optimisers.ts';
export * from './random.ts';
export { showGraph } from './printing.ts';
export * from './schedules.ts';
export * from './tree.ts';
export { type DataType, type External, inOrder, type Tensor } from './expression.ts';
export { type Dimension, product, type Shape, ShapeError } from './shape.ts';
