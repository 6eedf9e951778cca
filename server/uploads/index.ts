// The door of uploads.
export type {
  ReceivedUpload,
  ResumableAnswer,
  ResumableRequest,
  Room,
  UploadFields,
  UploadRequest,
  Uploads,
} from './types.ts';
export { createUploads, type UploadsOptions } from './uploads.ts';
