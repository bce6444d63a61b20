// What the authors of HETMM do on a GPU, re-stated from its description: a thread for each query, template and pixel,
// which walks over the window and, for each of its places, over the channels, whose step is a whole map. The two
// directions are two launches that share nothing.

__global__ void kernel(const float* query, const float* templates, float* cosines, int batch, int count, int channels,
                       int height, int width, int window, int forward) {
  const long positions = static_cast<long>(height) * width;
  const long index = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (index >= batch * count * positions) return;
  const int y = index % positions / width, x = index % width, radius = window / 2;
  const float* image = query + index / positions / count * channels * positions;
  const float* sheet = templates + index / positions % count * channels * positions;
  const float* here = (forward ? image : sheet) + y * width + x;
  float largest = -1;
  for (int v = max(y - radius, 0); v <= min(y + radius, height - 1); ++v) {
    for (int u = max(x - radius, 0); u <= min(x + radius, width - 1); ++u) {
      const float* there = (forward ? sheet : image) + v * width + u;
      float cosine = 0;
      for (int channel = 0; channel < channels; ++channel) {
        cosine += here[channel * positions] * there[channel * positions];
      }
      largest = fmaxf(largest, cosine);
    }
  }
  cosines[index] = largest;
}

extern "C" int naive_mutual_match(const float* query, const float* templates, float* cosines, int batch, int count,
                                  int channels, int height, int width, int window, int forward, cudaStream_t stream) {
  const long threads = static_cast<long>(batch) * count * height * width;
  kernel<<<(threads + 255) / 256, 256, 0, stream>>>(query, templates, cosines, batch, count, channels, height, width,
                                                     window, forward);
  return cudaGetLastError();
}
