using System;
using System.Collections.Generic;
using System.Linq;
using MotionBridge.Unity;
using NUnit.Framework;
using UnityEngine;

namespace MotionBridge.Tests
{
    /// <summary>The components on stand-ins of Unity's classes, through the real retarget path.</summary>
    [TestFixture]
    public class CharacterTests
    {
        public static IEnumerable<TestCaseData> Cases()
        {
            return Golden.Cases("retarget").Where(test => new RetargetCase((string)test.Arguments[0]).AxesName == "unity");
        }

        [TestCaseSource("Cases")]
        public void AnyRestPoseEndsInTheStreamedPose(string path)
        {
            var test = new RetargetCase(path);
            for (var frame = 0; frame < test.Frames; frame++)
            {
                AssertStreamed(new Stage(test), test, frame, stage => stage.Play(Still(test.Pose(frame))));
            }
        }

        [TestCaseSource("Cases")]
        public void AnArmatureNodeTurnedAndScaledMakesNoDifference(string path)
        {
            var test = new RetargetCase(path);
            AssertStreamed(new Stage(test, true), test, 1, stage => stage.Play(Still(test.Pose(1))));
        }

        [TestCaseSource("Cases")]
        public void ThePlayableEndsInTheSamePose(string path)
        {
            var test = new RetargetCase(path);
            var stage = new Stage(test);
            Stage.Set(stage.Character, "drive", DriveMode.Playable);
            AssertStreamed(stage, test, 2, playing => playing.Play(Still(test.Pose(2))));
            Stage.Call(stage.Character, "OnDisable");
        }

        [Test]
        public void AnAPoseIsTensOfDegreesOffBeforeItIsDriven()
        {
            var test = APose();
            var stage = new Stage(test);
            Assert.Greater(LargestError(stage, test, 1), 30.0);
        }

        [TestCaseSource("Cases")]
        public void TheObjectWalksByTheLengthOfItsLegs(string path)
        {
            var test = new RetargetCase(path);
            var stage = new Stage(test);
            stage.Play(Walk());
            Advance(stage, 2.0);
            var scale = (double)test.Expected["scale"];
            var shown = Math.Min(59.0, stage.Character.Stream.Clock.Position);
            Assert.AreEqual(scale * 0.05 * shown, stage.Object.transform.position.z, 0.02 * scale);
            Assert.AreEqual(0.0, stage.Object.transform.position.x, 0.001);
        }

        [Test]
        public void InPlaceItDoesNotTravel()
        {
            var stage = new Stage(APose());
            stage.Character.Travel = TravelMode.InPlace;
            stage.Play(Walk());
            Advance(stage, 2.0);
            Assert.AreEqual(0.0, stage.Object.transform.position.magnitude, 1e-6);
        }

        [Test]
        public void TurningLeftTurnsTheObjectToItsLeft()
        {
            var stage = new Stage(APose());
            var poses = Enumerable.Range(0, 60).Select(frame =>
            {
                var pose = Standing();
                pose.Rotations[0] = Quat.AxisAngle(new Vec3(0.0, 1.0, 0.0), 0.5 * Math.PI * frame / 59.0);
                return pose;
            });
            stage.Play(poses.ToArray());
            Advance(stage, 2.5);
            Assert.AreEqual(-1.0, stage.Object.transform.forward.x, 0.01);
        }

        [Test]
        public void WeightMixesWithWhatTheAnimatorDid()
        {
            var test = APose();
            var stage = new Stage(test);
            stage.Character.Weight = 0.0f;
            stage.Play(Still(test.Pose(1)));
            var elbow = test.Rig.Chain("left_elbow")[0];
            var before = stage[elbow].localRotation.ToQuat();
            stage.Frame(0.5f);
            stage.Frame(0.01f);
            Assert.AreEqual(0.0, Quat.Angle(before, stage[elbow].localRotation.ToQuat()), 1e-6);
            stage.Character.Weight = 0.5f;
            stage.Frame(0.01f);
            var half = stage[elbow].localRotation.ToQuat();
            stage.Character.Weight = 1.0f;
            stage.Frame(0.01f);
            var full = stage[elbow].localRotation.ToQuat();
            Assert.AreEqual(0.5, Quat.Angle(before, half) / Quat.Angle(before, full), 1e-3);
        }

        [Test]
        public void FrozenItHoldsItsPoseAndItsPlace()
        {
            var stage = new Stage(APose());
            stage.Play(Walk());
            Advance(stage, 0.5);
            stage.Character.Freeze = true;
            var there = stage.Object.transform.position;
            Assert.Greater(there.z, 0.1f);
            Advance(stage, 0.5);
            Assert.AreEqual(there.z, stage.Object.transform.position.z, 1e-6);
        }

        [Test]
        public void FeetStandOnTheGroundThatIsThere()
        {
            var test = APose();
            var stage = new Stage(test);
            stage.Character.Feet.enabled = true;
            stage.Character.Feet.halfLife = 0.0f;
            // The left foot, at negative x in Unity, stands on a step.
            Physics.Ground = place => place.x < 0.0f ? 0.15f : -0.05f;
            stage.Play(Still(Standing()));
            Advance(stage, 1.0);
            var left = stage[test.Rig.Chain("left_ankle")[0]].position;
            var right = stage[test.Rig.Chain("right_ankle")[0]].position;
            Assert.Less(left.x, right.x);
            Assert.AreEqual(0.2, left.y - right.y, 0.01);
            Assert.AreEqual(0.09 - 0.05, right.y, 0.01);
        }

        [Test]
        public void SteeringSpeaksTheStreamsHeading()
        {
            var stage = new Stage(APose());
            var pose = Standing();
            pose.Rotations[0] = Quat.AxisAngle(new Vec3(0.0, 1.0, 0.0), 1.0);
            stage.Play(Still(pose));
            Advance(stage, 0.3);
            // Half a right angle to the character's right, which is +x in Unity.
            stage.Character.SteerToward(new Vector3(1, 0, 1), 1.0f);
            var steer = stage.Server.Got("steer").Single();
            Assert.AreEqual(1.0 - Math.PI / 4.0, steer.Get<double>("heading"), 1e-4);
            Assert.AreEqual(1.0 / (double)APose().Expected["scale"], steer.Get<double>("speed"), 1e-3);
        }

        [Test]
        public void WayPointsOfTheWorldAreSentInTheStreamsAxes()
        {
            var stage = new Stage(APose());
            Assert.IsFalse(stage.Character.WalkTo(new Vector3(0, 0, 1)));
            stage.Object.transform.position = new Vector3(10, 0, 20);
            var pose = Standing();
            pose.Root = new Vec3(3.0, 0.95, -2.0);
            pose.Rotations[0] = Quat.AxisAngle(new Vec3(0.0, 1.0, 0.0), 0.5 * Math.PI);
            stage.Play(Still(pose));
            Advance(stage, 0.3);
            // A metre ahead and two to the right of the object, which looks along +z while the stream's character looks along its +x.
            Assert.IsTrue(stage.Character.WalkTo(1.0f, new Vector3(10, 5, 20), new Vector3(12, 0, 21)));
            var scale = (double)APose().Expected["scale"];
            var steer = stage.Server.Got("steer").Single();
            var points = steer.Get<object[]>("waypoints").Cast<object[]>().ToArray();
            Assert.AreEqual(2, points.Length);
            Assert.AreEqual(3.0, (double)points[0][0], 1e-4);
            Assert.AreEqual(-2.0, (double)points[0][1], 1e-4);
            Assert.AreEqual(3.0 + 1.0 / scale, (double)points[1][0], 1e-4);
            Assert.AreEqual(-2.0 + 2.0 / scale, (double)points[1][1], 1e-4);
            Assert.AreEqual(1.0 / scale, steer.Get<double>("speed"), 1e-3);
            Assert.IsFalse(steer.ContainsKey("heading"));
            Assert.Throws<ProtocolException>(() => stage.Character.WalkTo());
        }

        [Test]
        public void WhatIsMissingIsNamedWithWhatToDo()
        {
            UnityEngine.Object.ForgetAll();
            StringAssert.Contains("Animator", Problem(() => CharacterRig.FromAnimator(null)));
            var animator = new GameObject("box").AddComponent<Animator>();
            StringAssert.Contains("Humanoid", Problem(() => CharacterRig.FromAnimator(animator)));
            animator.avatar = new Avatar(new SkeletonBone[0]);
            StringAssert.Contains("Optimize Game Objects", Problem(() => CharacterRig.FromAnimator(animator)));
            var map = new BoneMap();
            map.entries.Add(new BoneMap.Entry { slot = "tail", bones = new[] { animator.transform } });
            StringAssert.Contains("tail", Problem(() => CharacterRig.FromMap(animator.transform, map)));
            var lonely = new GameObject("lonely").AddComponent<MotionCharacter>();
            Stage.Call(lonely, "OnEnable");
            StringAssert.Contains("GameObject > MotionBridge > Connection", lonely.Problem);
        }

        [Test]
        public void ABoneMapByHandDrivesACharacterThatIsNotHumanoid()
        {
            var test = APose();
            var stage = new Stage(test);
            for (var bone = 0; bone < test.Names.Length; bone++)
            {
                stage[bone].localRotation = test.Rig.LocalRotations[bone].ToQuaternion();
            }
            stage.Animator.avatar = null;
            foreach (var slot in BoneSlots.Names.Where(name => test.Rig.Chain(name).Length > 0))
            {
                stage.Character.Bones.entries.Add(
                    new BoneMap.Entry { slot = slot, bones = test.Rig.Chain(slot).Select(bone => stage[bone]).ToArray() });
            }
            AssertStreamed(stage, test, 1, playing => playing.Play(Still(test.Pose(1))));
        }

        private static string Problem(Action action)
        {
            return Assert.Throws<CharacterRigException>(() => action()).Message;
        }

        private static RetargetCase APose()
        {
            return new RetargetCase((string)Cases().Single(test => test.TestName.EndsWith("a_pose")).Arguments[0]);
        }

        private static Pose Standing()
        {
            return new Pose { Root = new Vec3(0.0, 0.95, 0.0) };
        }

        private static Pose[] Still(Pose pose)
        {
            return Enumerable.Repeat(pose, 60).ToArray();
        }

        private static Pose[] Walk()
        {
            return Enumerable.Range(0, 60).Select(frame => new Pose { Root = new Vec3(0.0, 0.95, 0.05 * frame) }).ToArray();
        }

        private static void Advance(Stage stage, double seconds)
        {
            for (var i = 0; i < 60 * seconds; i++)
            {
                stage.Frame(1.0f / 60.0f);
            }
        }

        private static void AssertStreamed(Stage stage, RetargetCase test, int frame, Action<Stage> play)
        {
            play(stage);
            stage.Frame(0.2f);
            stage.Frame(0.2f);
            CollectionAssert.IsEmpty(Debug.Errors);
            Assert.Less(LargestError(stage, test, frame), 0.1);
            var hips = stage[test.Rig.Chain("pelvis")[0]].position;
            var height = Golden.Vector(Golden.Items(test.Expected["pelvis"])[frame]).Y;
            Assert.AreEqual(0.0, (new Vec3(0.0, height, 0.0) - hips.ToVec3()).Length, 1e-4);
        }

        /// <summary>Degrees between where bones point in the world and where they must, the stream's heading taken out.</summary>
        private static double LargestError(Stage stage, RetargetCase test, int frame)
        {
            var pose = test.Pose(frame);
            var ahead = Axes.Unity.Rotation(Quat.AxisAngle(new Vec3(0.0, 1.0, 0.0), -RootMotion.Heading(pose)));
            return Golden.Items(test.Expected["directions"]).Select(Golden.Map).Max(aim =>
            {
                var from = stage[Array.IndexOf(test.Names, (string)aim["from"])].position;
                var to = stage[Array.IndexOf(test.Names, (string)aim["to"])].position;
                var wanted = ahead * Golden.Vector(Golden.Items(aim["direction"])[frame]);
                return Golden.Degrees((to - from).ToVec3(), wanted);
            });
        }
    }
}
