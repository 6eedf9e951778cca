// The door of the tensor library: models as expressions, written out as ONNX.
export { toOnnx } from './onnx/emit.ts';
export { describeOnnx, type Graft, graftOnnx, type ReadyModel, type ReadyValue } from './onnx/graft.ts';
export type { OnnxGraph, OnnxInitializer, OnnxNode } from './onnx/messages.ts';
export type { Bytes } from './onnx/protobuf.ts';
export * from './fused.ts';
export * from './operators.ts';
export type { DataType, External, Tensor } from './expression.ts';
export { type Dimension, type Shape, ShapeError } from './shape.ts';
